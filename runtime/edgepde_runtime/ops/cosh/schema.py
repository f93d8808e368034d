"""y = cosh(x)."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Cosh",
    since=9,
    inputs=(Argument("X", "T"),),
    outputs=(Argument("Y", "T"),),
)
