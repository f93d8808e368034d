"""z = x^y, broadcast, in x's dtype."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Pow",
    since=13,
    inputs=(Argument("X", "N"), Argument("Y", "any")),
    outputs=(Argument("Z", "N"),),
)
