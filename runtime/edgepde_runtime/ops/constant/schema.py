"""A tensor written into the node."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="Constant",
    since=13,
    inputs=(),
    outputs=(Argument("output", "any"),),
    attributes=(
        Attribute("value", "tensor", optional=True),
        Attribute("value_float", "float", optional=True),
        Attribute("value_floats", "floats", optional=True),
        Attribute("value_int", "int", optional=True),
        Attribute("value_ints", "ints", optional=True),
    ),
    invariants="exactly one attribute",
)
