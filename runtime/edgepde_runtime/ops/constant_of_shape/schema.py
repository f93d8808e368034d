"""A tensor of one value, 0 in float32 by default, in the shape given."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="ConstantOfShape",
    since=9,
    inputs=(Argument("input", "int64", shape=("N",)),),
    outputs=(Argument("output", "any"),),
    attributes=(Attribute("value", "tensor", optional=True),),
)
