"""Rounding model."""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=2, ulps=None, own_ulps=(3.0, 4.2))
