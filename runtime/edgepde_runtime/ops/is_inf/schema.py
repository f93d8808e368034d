"""y = whether x is infinite, of the signs asked for."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="IsInf",
    since=10,
    inputs=(Argument("X", "T"),),
    outputs=(Argument("Y", "bool"),),
    attributes=(
        Attribute("detect_negative", "int", default=1, choices=(0, 1)),
        Attribute("detect_positive", "int", default=1, choices=(0, 1)),
    ),
)
