"""The same elements in another shape."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="Reshape",
    since=14,
    inputs=(Argument("data", "V"), Argument("shape", "int64", shape=("N",))),
    outputs=(Argument("reshaped", "V"),),
    attributes=(Attribute("allowzero", "int", default=0, choices=(0, 1)),),
)
