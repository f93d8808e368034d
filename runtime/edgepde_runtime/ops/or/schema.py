"""c = a or b, broadcast."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Or",
    since=7,
    inputs=(Argument("A", "bool"), Argument("B", "bool")),
    outputs=(Argument("C", "bool"),),
)
