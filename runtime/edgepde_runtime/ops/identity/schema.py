"""y = x."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Identity",
    since=13,
    inputs=(Argument("input", "V"),),
    outputs=(Argument("output", "V"),),
)
