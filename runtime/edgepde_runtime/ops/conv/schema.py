"""Y = B + a cross-correlation of X with W over one to three axes, channels in groups."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="Conv",
    since=11,
    inputs=(Argument("X", "T"), Argument("W", "T"), Argument("B", "T", ("M",), optional=True)),
    outputs=(Argument("Y", "T"),),
    attributes=(
        Attribute("auto_pad", "string", default="NOTSET", choices=("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")),
        Attribute("dilations", "ints", optional=True),
        Attribute("group", "int", default=1),
        Attribute("kernel_shape", "ints", optional=True),
        Attribute("pads", "ints", optional=True),
        Attribute("strides", "ints", optional=True),
    ),
    invariants="X [N, C, n_1 ..], W [M, C / group, k_1 ..]; zeros around X are terms like others.",
)
