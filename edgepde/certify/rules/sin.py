"""sin: its derivatives are itself a quarter turn ahead."""

from __future__ import annotations

from typing import final

from ._function import Function
from ._wave import Wave


@final
class Sin(Wave):
    """sin."""

    attained = False


def rule(_exponent: int) -> Function:
    """The rule."""
    return Sin()
