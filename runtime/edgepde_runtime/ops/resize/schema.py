"""Axes stretched or shrunk: nearest elements, or linear interpolation axis by axis."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op
from .positions import COORDINATES, ROUNDINGS

OP = Op(
    domain="",
    name="Resize",
    since=18,
    inputs=(
        Argument("X", "T"),
        Argument("roi", "any", optional=True),
        Argument("scales", "any", ("A",), optional=True),
        Argument("sizes", "int64", ("A",), optional=True),
    ),
    outputs=(Argument("Y", "T"),),
    attributes=(
        Attribute("antialias", "int", default=0, choices=(0,)),
        Attribute("axes", "ints", optional=True),
        Attribute("coordinate_transformation_mode", "string", default="half_pixel", choices=COORDINATES),
        Attribute("cubic_coeff_a", "float", default=-0.75),
        Attribute("exclude_outside", "int", default=0, choices=(0,)),
        Attribute("extrapolation_value", "float", default=0.0),
        Attribute("keep_aspect_ratio_policy", "string", default="stretch", choices=("stretch",)),
        Attribute("mode", "string", default="nearest", choices=("nearest", "linear")),
        Attribute("nearest_mode", "string", default="round_prefer_floor", choices=ROUNDINGS),
    ),
    invariants="Y's sizes are `sizes`, or floor(X's size * scale); roi and cubic_coeff_a are not used",
)
