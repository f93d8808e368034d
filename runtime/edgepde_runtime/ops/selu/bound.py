"""Rounding model."""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=3, ulps=None, own_ulps=(3.9, 6.2))
