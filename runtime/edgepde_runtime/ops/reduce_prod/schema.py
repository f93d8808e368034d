"""y = product of x over axes."""

from __future__ import annotations

from .._reduction import reduction

OP = reduction("ReduceProd", 18)
