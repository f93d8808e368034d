"""sqrt(x) where the range lies above 0: each derivative is the one before it times (3/2 - k) / x."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ._function import ORDERS, Function
from ._half_line import HalfLine


@final
class Sqrt(HalfLine):
    """sqrt."""

    turning = ((),) * ORDERS
    absolute = (1e-290,) * ORDERS
    relative = 32.0

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        found = [torch.sqrt(x)]
        for k in range(1, order + 1):
            found.append((1.5 - k) * found[-1] / x)
        return tuple(found)


def rule(_exponent: int) -> Function:
    """The rule."""
    return Sqrt()
