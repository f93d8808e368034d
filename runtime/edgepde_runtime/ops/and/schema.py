"""c = a and b, broadcast."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="And",
    since=7,
    inputs=(Argument("A", "bool"), Argument("B", "bool")),
    outputs=(Argument("C", "bool"),),
)
