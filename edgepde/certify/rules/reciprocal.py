"""1 / x where the range leaves out 0."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ._function import ORDERS, Function, Span


@final
class Reciprocal(Function):
    """1 / x; over an interval that holds 0 every enclosure is infinite."""

    turning = ((),) * ORDERS
    absolute = (0.0,) * ORDERS
    relative = 16.0

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        y = 1.0 / x
        found = [y]
        for k in range(1, order + 1):
            found.append(-k * found[-1] * y)
        return tuple(found)

    def enclosure(self, order: int, span: Span) -> tuple[Tensor, Tensor]:
        """(low, high) of phi_order over the intervals; outward by its noise."""
        low, high = super().enclosure(order, span)
        over = (span.low <= 0.0) & (span.high >= 0.0)
        return torch.where(over, -torch.inf, low), torch.where(over, torch.inf, high)

    def largest(self, order: int, span: Span) -> Tensor:
        """sup |phi_order| over the intervals; outward by its noise."""
        low, high = self.enclosure(order, span)
        return torch.maximum(-low, high)


def rule(_exponent: int) -> Function:
    """The rule."""
    return Reciprocal()
