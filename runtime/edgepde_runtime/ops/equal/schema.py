"""c = a == b, broadcast."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Equal",
    since=13,
    inputs=(Argument("A", "V"), Argument("B", "V")),
    outputs=(Argument("C", "bool"),),
)
