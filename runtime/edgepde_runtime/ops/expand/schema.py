"""The input broadcast with a shape."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Expand",
    since=13,
    inputs=(Argument("input", "V"), Argument("shape", "int64", shape=("N",))),
    outputs=(Argument("output", "V"),),
)
