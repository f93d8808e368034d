"""Rounding model."""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(ulps=None, own_ulps=(1.0, 2.4))
