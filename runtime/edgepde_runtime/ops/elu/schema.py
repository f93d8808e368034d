"""y = x where x > 0, else alpha * (exp(x) - 1)."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="Elu",
    since=6,
    inputs=(Argument("X", "T"),),
    outputs=(Argument("Y", "T"),),
    attributes=(Attribute("alpha", "float", default=1.0),),
)
