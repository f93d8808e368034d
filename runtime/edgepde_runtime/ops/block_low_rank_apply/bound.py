"""Rounding model: two sums of products, one behind the other, and the groups of rows that share an output added up.

With |.| on x and on every factor, magnitude = |A_left| |A_right| |x|, the op applied to absolute values;
terms = most columns of a group + most entries of a group of rows + most groups of rows that meet in one output.
"""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=0, reduction=True, chunk=16)
