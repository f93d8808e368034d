"""y = x / 2 * (1 + erf(x / sqrt(2))), or x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="Gelu",
    since=20,
    inputs=(Argument("X", "T"),),
    outputs=(Argument("Y", "T"),),
    attributes=(Attribute("approximate", "string", default="none", choices=("none", "tanh")),),
)
