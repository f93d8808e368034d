"""Every channel of every row with mean 0 and variance 1, then scaled and shifted."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="InstanceNormalization",
    since=6,
    inputs=(Argument("input", "T"), Argument("scale", "T", ("C",)), Argument("B", "T", ("C",))),
    outputs=(Argument("output", "T"),),
    attributes=(Attribute("epsilon", "float", default=1e-5),),
    invariants="input [N, C, n_1 ..], mean and variance over n_1 ..",
)
