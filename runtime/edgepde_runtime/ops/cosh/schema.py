"""y = cosh(x)."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Cosh",
    since=9,
    inputs=(Argument("input", "T"),),
    outputs=(Argument("output", "T"),),
)
