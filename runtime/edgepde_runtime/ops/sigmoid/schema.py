"""y = 1 / (1 + exp(-x))."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Sigmoid",
    since=13,
    inputs=(Argument("X", "T"),),
    outputs=(Argument("Y", "T"),),
)
