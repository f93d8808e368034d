"""The input in pieces along an axis: of the sizes given, or as many equal ones as asked for."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="Split",
    since=18,
    inputs=(Argument("input", "V"), Argument("split", "int64", shape=("N",), optional=True)),
    outputs=(Argument("outputs", "V", variadic=True),),
    attributes=(Attribute("axis", "int", default=0), Attribute("num_outputs", "int", optional=True)),
)
