"""y = log(1 + exp(x))."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Softplus",
    since=1,
    inputs=(Argument("X", "T"),),
    outputs=(Argument("Y", "T"),),
)
