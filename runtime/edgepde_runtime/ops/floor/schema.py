"""y = the largest integer <= x."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Floor",
    since=13,
    inputs=(Argument("X", "T"),),
    outputs=(Argument("Y", "T"),),
)
