"""c = a / b, broadcast; integers are cut towards zero."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Div",
    since=13,
    inputs=(Argument("A", "N"), Argument("B", "N")),
    outputs=(Argument("C", "N"),),
)
