"""Conv."""

from .schema import OP

__all__ = ["OP"]
