"""softplus(x) = log(1 + exp(x)): its derivative is sigmoid."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ._function import ORDERS, Function
from .sigmoid import Sigmoid, series


@final
class Softplus(Function):
    """log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|))."""

    turning = ((), *Sigmoid.turning[:5])
    absolute = (16.0, *Sigmoid.absolute[:5])
    relative = 8.0
    mirrored = 2

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        value = torch.nn.functional.softplus(x, threshold=40.0)
        return (value,) if order == 0 else (value, *series(torch.sigmoid(x), order - 1))


def rule(_exponent: int) -> Function:
    """The rule."""
    return Softplus()
