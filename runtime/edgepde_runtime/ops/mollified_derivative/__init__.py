"""Derivatives of a field on a grid: products of banded matrices along its axes, and sums of them."""

from .schema import OP

__all__ = ["OP"]
