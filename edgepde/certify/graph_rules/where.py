"""Where by a constant condition: entries of one or the other."""

from __future__ import annotations

from ._moved import rule

__all__ = ["rule"]
