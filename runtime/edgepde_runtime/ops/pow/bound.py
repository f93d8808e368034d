"""Rounding model of a library's power; our own kernel x^n, |n| <= 64, passes at most 2 |n| - 1 roundings."""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(ulps=None)
