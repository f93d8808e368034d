"""Every channel shifted and scaled by constants."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="BatchNormalization",
    since=15,
    inputs=(
        Argument("X", "T"),
        Argument("scale", "T", ("C",)),
        Argument("B", "T", ("C",)),
        Argument("input_mean", "T", ("C",)),
        Argument("input_var", "T", ("C",)),
    ),
    outputs=(
        Argument("Y", "T"),
        Argument("running_mean", "T", optional=True),
        Argument("running_var", "T", optional=True),
    ),
    attributes=(
        Attribute("epsilon", "float", default=1e-5),
        Attribute("momentum", "float", default=0.9),
        Attribute("training_mode", "int", default=0, choices=(0,)),
    ),
    invariants="X [N, C, ...], Y = (X - mean) scale / sqrt(var + epsilon) + B per channel; no running statistics",
)
