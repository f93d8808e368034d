"""Rounding model."""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=8, ulps=None, cancels=True, own_ulps=(4.0, 10.5))
