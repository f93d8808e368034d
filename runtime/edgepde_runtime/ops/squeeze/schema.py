"""The same elements without axes of size 1."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Squeeze",
    since=13,
    inputs=(Argument("data", "V"), Argument("axes", "int64", shape=("N",), optional=True)),
    outputs=(Argument("squeezed", "V"),),
)
