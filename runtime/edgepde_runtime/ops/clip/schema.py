"""y = min(max(x, min), max); an absent limit is none."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Clip",
    since=13,
    inputs=(
        Argument("input", "N"),
        Argument("min", "N", shape=(), optional=True),
        Argument("max", "N", shape=(), optional=True),
    ),
    outputs=(Argument("output", "N"),),
)
