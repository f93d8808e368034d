"""Unsqueeze: sizes of 1 put in."""

from __future__ import annotations

from ._moved import rule

__all__ = ["rule"]
