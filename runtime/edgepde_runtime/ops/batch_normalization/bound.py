"""Rounding model: y = (x - mean) a + B, a = scale / sqrt(var + epsilon) rounded once.

magnitude = (|x| + |mean|) |a| + |B|, not the op on absolute values: some implementations compute x a + (B - mean a).
"""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=4, cancels=True)
