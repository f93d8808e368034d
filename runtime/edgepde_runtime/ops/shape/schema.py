"""The sizes of the input's axes start ... end - 1."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="Shape",
    since=15,
    inputs=(Argument("data", "any"),),
    outputs=(Argument("shape", "int64"),),
    attributes=(Attribute("start", "int", default=0), Attribute("end", "int", optional=True)),
)
