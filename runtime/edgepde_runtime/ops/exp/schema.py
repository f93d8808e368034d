"""y = exp(x)."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Exp",
    since=13,
    inputs=(Argument("input", "T"),),
    outputs=(Argument("output", "T"),),
)
