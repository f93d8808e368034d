"""elu(x) = x where x > 0, else exp(x) - 1: its second derivative jumps at 0."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ._function import ORDERS, Function
from ._pieced import Pieced


@final
class Elu(Pieced):
    """elu with alpha = 1."""

    turning = ((),) * ORDERS
    absolute = (1e-290,) * ORDERS
    relative = 16.0

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        right, one, zero = x > 0.0, torch.ones_like(x), torch.zeros_like(x)
        below = x.clamp(max=0.0)
        e = torch.exp(below)
        line = (x, one, *(zero,) * (ORDERS - 2))
        curve = (torch.expm1(below), *(e,) * (ORDERS - 1))
        return tuple(torch.where(right, a, b) for a, b in zip(line[: order + 1], curve, strict=False))


def rule(_exponent: int) -> Function:
    """The rule."""
    return Elu()
