"""Rounding model."""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=2, ulps=None, own_ulps=(2.9, 5.2))
