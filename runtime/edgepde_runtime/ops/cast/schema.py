"""y = x in another element type; floats become integers by cutting towards zero."""

from __future__ import annotations

from ...onnxtensor import ELEMENTS
from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="Cast",
    since=13,
    inputs=(Argument("input", "any"),),
    outputs=(Argument("output", "any"),),
    attributes=(Attribute("to", "int", choices=tuple(ELEMENTS)), Attribute("saturate", "int", default=1)),
    invariants="saturate is about 8-bit floats, which this runtime has none of",
)
