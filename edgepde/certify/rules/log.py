"""log(x) where the range lies above 0: its k-th derivative is (-1)^(k-1) (k-1)! / x^k."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ._function import ORDERS, Function
from ._half_line import HalfLine


@final
class Log(HalfLine):
    """log."""

    turning = ((),) * ORDERS
    absolute = (1e-290,) * ORDERS
    relative = 16.0

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        y = 1.0 / x
        found = [torch.log(x), y]
        for k in range(1, order):
            found.append(-k * found[-1] * y)
        return tuple(found[: order + 1])


def rule(_exponent: int) -> Function:
    """The rule."""
    return Log()
