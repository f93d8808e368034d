"""Rounding model."""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding()
