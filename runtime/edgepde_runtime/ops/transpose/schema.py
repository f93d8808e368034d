"""The same elements with axes in another order."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="Transpose",
    since=13,
    inputs=(Argument("data", "V"),),
    outputs=(Argument("transposed", "V"),),
    attributes=(Attribute("perm", "ints", optional=True),),
)
