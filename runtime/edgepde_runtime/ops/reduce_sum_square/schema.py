"""y = sum of x^2 over axes."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="ReduceSumSquare",
    since=18,
    inputs=(Argument("data", "N"), Argument("axes", "int64", shape=("A",), optional=True)),
    outputs=(Argument("reduced", "N"),),
    attributes=(
        Attribute("keepdims", "int", default=1, choices=(0, 1)),
        Attribute("noop_with_empty_axes", "int", default=0, choices=(0,)),
    ),
    invariants="noop_with_empty_axes = 1 is refused: runtimes disagree whether the square is taken",
)
