"""Y = B + X spread out with strides and convolved with W over one to three axes, channels in groups."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="ConvTranspose",
    since=11,
    inputs=(Argument("X", "T"), Argument("W", "T"), Argument("B", "T", ("M",), optional=True)),
    outputs=(Argument("Y", "T"),),
    attributes=(
        Attribute("auto_pad", "string", default="NOTSET", choices=("NOTSET", "VALID")),
        Attribute("dilations", "ints", optional=True),
        Attribute("group", "int", default=1),
        Attribute("kernel_shape", "ints", optional=True),
        Attribute("output_padding", "ints", optional=True),
        Attribute("output_shape", "ints", optional=True),
        Attribute("pads", "ints", optional=True),
        Attribute("strides", "ints", optional=True),
    ),
    invariants=(
        "X [N, C, n_1 ..], W [C, M / group, k_1 ..]; a size of Y is stride (n - 1) + dilation (k - 1) + 1 + "
        "output_padding - pads. Sizes are stated by pads alone: auto_pad SAME_* and output_shape are refused."
    ),
)
