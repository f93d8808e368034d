"""Rounding model: sums over the windows of up to three axes, one behind the other, then the sum over K products.

With |.| on x, taps and combine, magnitude = the op applied to absolute values; terms = W_3 + W_2 + W_1 (axes that are
filtered) + K one behind the other; in chunks of 16 each sum of n counts min(n, 16) + ceil(n / 16).
"""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=0, reduction=True, chunk=16)
