"""z = x where the condition holds, else y, broadcast."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Where",
    since=13,
    inputs=(Argument("condition", "bool"), Argument("X", "V"), Argument("Y", "V")),
    outputs=(Argument("output", "V"),),
)
