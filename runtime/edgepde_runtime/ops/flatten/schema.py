"""The same elements as a matrix: axes before `axis` are rows, the others columns."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="Flatten",
    since=13,
    inputs=(Argument("input", "V"),),
    outputs=(Argument("output", "V"),),
    attributes=(Attribute("axis", "int", default=1),),
)
