"""y = sum of x^2 over axes."""

from __future__ import annotations

from .._reduction import reduction

OP = reduction(
    "ReduceSumSquare",
    18,
    noop=(0,),
    invariants="noop_with_empty_axes = 1 is refused: runtimes disagree whether the square is taken",
)
