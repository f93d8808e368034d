"""y = smallest element of x over axes."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="ReduceMin",
    since=18,
    inputs=(Argument("data", "N"), Argument("axes", "int64", shape=("A",), optional=True)),
    outputs=(Argument("reduced", "N"),),
    attributes=(
        Attribute("keepdims", "int", default=1, choices=(0, 1)),
        Attribute("noop_with_empty_axes", "int", default=0, choices=(0, 1)),
    ),
)
