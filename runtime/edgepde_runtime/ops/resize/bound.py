"""Rounding model of linear interpolation: per axis a weight, a product and a sum, at most three axes.

magnitude is the op applied to absolute values; the nearest modes move data. Weights are those of `positions.py`.
"""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=9, cancels=True)
