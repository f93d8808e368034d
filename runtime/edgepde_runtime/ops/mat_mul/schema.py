"""Y = A B over the last two axes, the others broadcast; a vector is a row on the left, a column on the right."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="MatMul",
    since=13,
    inputs=(Argument("A", "N"), Argument("B", "N")),
    outputs=(Argument("Y", "N"),),
)
