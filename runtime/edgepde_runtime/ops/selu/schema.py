"""y = gamma * x where x > 0, else gamma * alpha * (exp(x) - 1)."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="Selu",
    since=6,
    inputs=(Argument("X", "T"),),
    outputs=(Argument("Y", "T"),),
    attributes=(
        Attribute("alpha", "float", default=1.67326319217681884765625),
        Attribute("gamma", "float", default=1.05070102214813232421875),
    ),
)
