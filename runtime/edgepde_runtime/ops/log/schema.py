"""y = log(x), natural."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Log",
    since=13,
    inputs=(Argument("input", "T"),),
    outputs=(Argument("output", "T"),),
)
