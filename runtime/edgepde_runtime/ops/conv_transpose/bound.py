"""Rounding model: the bias and a sum of at most C / group k_1 .. k_d products, input channels outermost.

The terms of an output are those points of the kernel that the stride leads to it, inside X or not:
at most ceil(k / (stride / gcd(stride, dilation))) along an axis.
"""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=1, reduction=True, chunk=16)
