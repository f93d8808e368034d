"""Largest elements of windows."""

from __future__ import annotations

from .._windows import ATTRIBUTES
from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="MaxPool",
    since=12,
    inputs=(Argument("X", "T"),),
    outputs=(Argument("Y", "T"), Argument("Indices", "int64", optional=True)),
    attributes=(*ATTRIBUTES, Attribute("storage_order", "int", default=0, choices=(0,))),
    invariants="X [N, C, n_1 ..], windows over all axes but the first two; Indices is not computed",
)
