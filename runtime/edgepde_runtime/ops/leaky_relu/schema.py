"""y = x where x >= 0, else alpha * x."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="LeakyRelu",
    since=13,
    inputs=(Argument("X", "T"),),
    outputs=(Argument("Y", "T"),),
    attributes=(Attribute("alpha", "float", default=0.01),),
)
