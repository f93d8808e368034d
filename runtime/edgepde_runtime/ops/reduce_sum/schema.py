"""y = sum of x over axes."""

from __future__ import annotations

from .._reduction import reduction

OP = reduction("ReduceSum", 13)
