"""Means over all axes but the first two."""

from __future__ import annotations

from ..schema import Argument, Op

OP = Op(
    domain="",
    name="GlobalAveragePool",
    since=1,
    inputs=(Argument("X", "T"),),
    outputs=(Argument("Y", "T"),),
    invariants="X [N, C, n_1 ..] -> [N, C, 1 ..]",
)
