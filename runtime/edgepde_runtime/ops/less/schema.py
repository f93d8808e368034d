"""c = a < b, broadcast."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Less",
    since=13,
    inputs=(Argument("A", "N"), Argument("B", "N")),
    outputs=(Argument("C", "bool"),),
)
