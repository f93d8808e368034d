"""y[b, ...] = x[b, indices[b, ..., 0], indices[b, ..., 1], ...], b over batch_dims."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="GatherND",
    since=13,
    inputs=(Argument("data", "V"), Argument("indices", "int64")),
    outputs=(Argument("output", "any"),),
    attributes=(Attribute("batch_dims", "int", default=0),),
)
