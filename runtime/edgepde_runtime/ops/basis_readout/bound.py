"""Rounding model: a sum of K products from zero in chunks of 16, then one product with the scale.

magnitude = sum_k |coefficients[b, k]| |basis[k, n]| |scale|.
"""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=1, reduction=True, chunk=16)
