"""y = max(0, min(1, alpha * x + beta))."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="HardSigmoid",
    since=6,
    inputs=(Argument("X", "T"),),
    outputs=(Argument("Y", "T"),),
    attributes=(Attribute("alpha", "float", default=0.2), Attribute("beta", "float", default=0.5)),
)
