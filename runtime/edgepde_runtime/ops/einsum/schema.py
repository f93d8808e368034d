"""Sum of products in index notation: y[out] = sum over the other letters of the product of the inputs."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="Einsum",
    since=12,
    inputs=(Argument("Inputs", "N", variadic=True),),
    outputs=(Argument("Output", "N"),),
    attributes=(Attribute("equation", "string"),),
)
