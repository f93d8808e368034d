"""The number of elements."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Size",
    since=13,
    inputs=(Argument("data", "any"),),
    outputs=(Argument("size", "int64"),),
)
