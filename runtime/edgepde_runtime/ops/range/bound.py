"""Rounding model where start and delta have one sign or start is 0: y is then no smaller than its terms."""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=2)
