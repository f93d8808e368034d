"""Rounding model."""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=2, ulps=None, own_ulps=(1.8, 3.6))
