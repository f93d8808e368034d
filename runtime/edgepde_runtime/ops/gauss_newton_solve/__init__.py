"""Damped Gauss-Newton on a polynomial residual."""

from .schema import OP

__all__ = ["OP"]
