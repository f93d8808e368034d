"""Rounding model: a sum of products over S channels, d 1-way filters, a sum of products over R, one behind the other.

With |.| on x and on every factor, magnitude = the op applied to absolute values, the bias too;
terms = S + k_1 + .. + k_d + R + 1 one behind the other; in chunks of 16 each sum of K counts min(K, 16) + ceil(K / 16).
"""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=0, reduction=True, chunk=16)
