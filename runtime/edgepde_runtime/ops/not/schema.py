"""y = not x."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Not",
    since=1,
    inputs=(Argument("X", "bool"),),
    outputs=(Argument("Y", "bool"),),
)
