"""Concat: tensors one after the other."""

from __future__ import annotations

from ._moved import rule

__all__ = ["rule"]
