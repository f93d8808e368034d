"""The same elements with axes of size 1 put in."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Unsqueeze",
    since=13,
    inputs=(Argument("data", "V"), Argument("axes", "int64", shape=("N",))),
    outputs=(Argument("expanded", "V"),),
)
