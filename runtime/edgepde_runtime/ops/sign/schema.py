"""y = -1, 0 or 1, the sign of x."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Sign",
    since=13,
    inputs=(Argument("input", "N"),),
    outputs=(Argument("output", "N"),),
)
