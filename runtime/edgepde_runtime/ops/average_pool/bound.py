"""Rounding model: a sum over a window and one division."""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=1, reduction=True)
