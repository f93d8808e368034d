"""1 / x where the range leaves out 0."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ._function import ORDERS, Function


@final
class Reciprocal(Function):
    """1 / x; over an interval that holds 0 every enclosure is infinite."""

    turning = ((), (), (), (), ())
    absolute = (0.0, 0.0, 0.0, 0.0, 0.0)
    relative = 16.0

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        y = 1.0 / x
        found = [y]
        for k in range(1, order + 1):
            found.append(-k * found[-1] * y)
        return tuple(found)

    def enclosure(self, order: int, ends: tuple[Tensor, Tensor], values: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        low, high = super().enclosure(order, ends, values)
        over = (ends[0] <= 0.0) & (ends[1] >= 0.0)
        return torch.where(over, -torch.inf, low), torch.where(over, torch.inf, high)


def rule(_exponent: int) -> Function:
    """The rule."""
    return Reciprocal()
