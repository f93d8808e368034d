"""The input with a constant, or elements of its own, put around it; negative widths cut it."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op
from .places import MODES

OP = Op(
    domain="",
    name="Pad",
    since=18,
    inputs=(
        Argument("data", "V"),
        Argument("pads", "int64", shape=("P",)),
        Argument("constant_value", "V", shape=(), optional=True),
        Argument("axes", "I", shape=("N",), optional=True),
    ),
    outputs=(Argument("output", "V"),),
    attributes=(Attribute("mode", "string", default="constant", choices=MODES),),
)
