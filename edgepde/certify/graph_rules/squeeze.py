"""Squeeze: sizes of 1 dropped."""

from __future__ import annotations

from ._moved import rule

__all__ = ["rule"]
