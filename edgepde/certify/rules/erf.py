"""erf: its derivative is 2 / sqrt(pi) exp(-x^2)."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from ._function import ORDERS, Function


@final
class Erf(Function):
    """erf."""

    turning = (
        (),
        (0.0,),
        (-0.70710678118654752, 0.70710678118654752),
        (-1.2247448713915890, 0.0, 1.2247448713915890),
        (-1.6506801238857846, -0.52464762327529032, 0.52464762327529032, 1.6506801238857846),
        (-2.0201828704560856, -0.95857246461381851, 0.0, 0.95857246461381851, 2.0201828704560856),
    )
    absolute = (8.0, 30.0, 60.0, 200.0, 600.0, 3000.0)
    bound = 1.0
    attained = False
    mirrored = 0

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        near = x.clamp(-30.0, 30.0)
        square = near * near
        d1 = torch.exp(-square) * (2.0 / math.sqrt(math.pi))
        d2 = -2.0 * near * d1
        d3 = (4.0 * square - 2.0) * d1
        d4 = near * (12.0 - 8.0 * square) * d1
        d5 = (square * (16.0 * square - 48.0) + 12.0) * d1
        return (torch.erf(x), d1, d2, d3, d4, d5)[: order + 1]


def rule(_exponent: int) -> Function:
    """The rule."""
    return Erf()
