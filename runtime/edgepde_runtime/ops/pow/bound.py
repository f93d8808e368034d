"""Rounding model."""

from __future__ import annotations

from ..rounding import Rounding

# x^n, |n| <= 64: at most 63 products, of 1 / x where n < 0, so at most 127 roundings.
ROUNDING = Rounding(ulps=None, own_ulps=(128.0, 128.0))
