"""y = max(x, 0)."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Relu",
    since=13,
    inputs=(Argument("X", "N"),),
    outputs=(Argument("Y", "N"),),
)
