"""Rounding model."""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(ulps=None, own_ulps=(2.4, 6.4))
