"""Tile: repeated."""

from __future__ import annotations

from ._moved import rule

__all__ = ["rule"]
