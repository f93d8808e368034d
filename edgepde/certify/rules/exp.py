"""exp: its derivatives are itself."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ._function import ORDERS, Function


@final
class Exp(Function):
    """exp."""

    turning = ((),) * ORDERS
    absolute = (1e-290,) * ORDERS
    relative = 8.0

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        return (torch.exp(x),) * (order + 1)


def rule(_exponent: int) -> Function:
    """The rule."""
    return Exp()
