"""y[i] = start + i * delta, up to but without limit."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="Range",
    since=11,
    inputs=(Argument("start", "N", shape=()), Argument("limit", "N", shape=()), Argument("delta", "N", shape=())),
    outputs=(Argument("output", "N"),),
)
