"""The inputs one after the other along an axis."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="Concat",
    since=13,
    inputs=(Argument("inputs", "V", variadic=True),),
    outputs=(Argument("concat_result", "V"),),
    attributes=(Attribute("axis", "int"),),
)
