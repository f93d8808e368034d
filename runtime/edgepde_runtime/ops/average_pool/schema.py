"""Means over windows."""

from __future__ import annotations

from .._windows import ATTRIBUTES
from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="AveragePool",
    since=19,
    inputs=(Argument("X", "T"),),
    outputs=(Argument("Y", "T"),),
    attributes=(*ATTRIBUTES, Attribute("count_include_pad", "int", default=0, choices=(0, 1))),
    invariants="X [N, C, n_1 ..], windows over all axes but the first two",
)
