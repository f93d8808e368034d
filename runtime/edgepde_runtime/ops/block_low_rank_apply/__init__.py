"""y = A x, A in dense and low-rank blocks."""

from .schema import OP

__all__ = ["OP"]
