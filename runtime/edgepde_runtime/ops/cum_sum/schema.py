"""y[i] = sum of x[j] for j <= i along an axis."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="CumSum",
    since=13,
    inputs=(Argument("x", "N"), Argument("axis", "I")),
    outputs=(Argument("y", "N"),),
    attributes=(
        Attribute("exclusive", "int", default=0, choices=(0, 1)),
        Attribute("reverse", "int", default=0, choices=(0, 1)),
    ),
)
