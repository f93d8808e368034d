"""y = the largest of the inputs, broadcast; NaN where one is NaN."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Max",
    since=13,
    inputs=(Argument("data_0", "N", variadic=True),),
    outputs=(Argument("max", "N"),),
)
