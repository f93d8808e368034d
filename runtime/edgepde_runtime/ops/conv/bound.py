"""Rounding model: the bias and a sum of C / group k_1 .. k_d products, input channels outermost."""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=1, reduction=True, chunk=16)
