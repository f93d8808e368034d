"""Rounding model: two sums of N cells, a root, a division and y = (x - mean) a + B.

magnitude = |a| (|x| + mean |x|) + |B|, a = scale / sqrt(var + epsilon), not the op on absolute values; terms = N.
The mean is off by gamma mean |x|, which moves x - mean; the variance is off by gamma var and the square of that.
"""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=8, reduction=True, chunk=16)
