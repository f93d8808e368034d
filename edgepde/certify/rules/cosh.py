"""cosh: its derivatives are sinh and itself in turn."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ._function import ORDERS, Function


@final
class Cosh(Function):
    """cosh."""

    turning = ((0.0,), ()) * (ORDERS // 2)
    absolute = (1e-290,) * ORDERS
    relative = 16.0
    mirrored = 0

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        cycle = torch.cosh(x), torch.sinh(x)
        return tuple(cycle[k % 2] for k in range(order + 1))


def rule(_exponent: int) -> Function:
    """The rule."""
    return Cosh()
