"""y = whether x is NaN."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="IsNaN",
    since=13,
    inputs=(Argument("X", "T"),),
    outputs=(Argument("Y", "bool"),),
)
