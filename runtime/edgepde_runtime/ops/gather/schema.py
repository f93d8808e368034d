"""y = x[..., indices, ...] along an axis."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="Gather",
    since=13,
    inputs=(Argument("data", "V"), Argument("indices", "I")),
    outputs=(Argument("output", "any"),),
    attributes=(Attribute("axis", "int", default=0),),
)
