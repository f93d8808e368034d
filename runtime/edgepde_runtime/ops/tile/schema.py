"""The input repeated along each axis."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Tile",
    since=13,
    inputs=(Argument("input", "V"), Argument("repeats", "int64", shape=("N",))),
    outputs=(Argument("output", "V"),),
)
