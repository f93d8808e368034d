"""ReduceL2."""

from .schema import OP

__all__ = ["OP"]
