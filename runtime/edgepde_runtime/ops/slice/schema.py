"""x[starts : ends : steps] along axes."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Slice",
    since=13,
    inputs=(
        Argument("data", "V"),
        Argument("starts", "I", shape=("N",)),
        Argument("ends", "I", shape=("N",)),
        Argument("axes", "I", shape=("N",), optional=True),
        Argument("steps", "I", shape=("N",), optional=True),
    ),
    outputs=(Argument("output", "V"),),
)
