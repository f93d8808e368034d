"""y = the integer nearest to x, halves to even."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Round",
    since=11,
    inputs=(Argument("X", "T"),),
    outputs=(Argument("Y", "T"),),
)
