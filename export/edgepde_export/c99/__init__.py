"""The C99 target: a model as C that a firmware engineer accepts."""

from .generating import generate

__all__ = ["generate"]
