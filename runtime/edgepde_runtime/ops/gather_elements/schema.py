"""y[i, j] = x[indices[i, j], j] for axis 0, and likewise for any axis and rank."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="GatherElements",
    since=13,
    inputs=(Argument("data", "V"), Argument("indices", "I")),
    outputs=(Argument("output", "any"),),
    attributes=(Attribute("axis", "int", default=0),),
)
