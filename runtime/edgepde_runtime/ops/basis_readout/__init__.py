"""Coefficients times a basis, scaled: how a shared model reads out one operator."""

from .schema import OP

__all__ = ["OP"]
