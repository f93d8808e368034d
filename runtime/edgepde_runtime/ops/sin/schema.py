"""y = sin(x), x in radians."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Sin",
    since=7,
    inputs=(Argument("input", "T"),),
    outputs=(Argument("output", "T"),),
)
