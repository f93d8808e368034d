"""y = -x."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Neg",
    since=13,
    inputs=(Argument("X", "N"),),
    outputs=(Argument("Y", "N"),),
)
