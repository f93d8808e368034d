"""y = erf(x) = 2 / sqrt(pi) * integral of exp(-s^2) for s in [0, x]."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Erf",
    since=13,
    inputs=(Argument("input", "T"),),
    outputs=(Argument("output", "T"),),
)
