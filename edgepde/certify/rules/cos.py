"""cos: sin a quarter turn ahead."""

from __future__ import annotations

from typing import final

from ._function import Function
from ._wave import Wave


@final
class Cos(Wave):
    """cos."""

    quarter = 1


def rule(_exponent: int) -> Function:
    """The rule."""
    return Cos()
