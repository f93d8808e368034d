"""Rounding model."""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=1, reduction=True, chunk=16)
