"""gelu(x) = x Phi(x), Phi and p the normal distribution and density: p' = -x p."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from ._function import ORDERS, Function


@final
class Gelu(Function):
    """x Phi(x), by erfc: no cancellation."""

    turning = (
        (-0.75179152469356446,),
        (-1.4142135623730951, 1.4142135623730951),
        (-2.0, 0.0, 2.0),
        (-2.5243377989621386, -0.79228699139326128, 0.79228699139326128, 2.5243377989621386),
        (-3.0, -1.4142135623730951, 0.0, 1.4142135623730951, 3.0),
        (
            -3.4367188404456641,
            -1.9458878045570841,
            -0.63441647503971774,
            0.63441647503971774,
            1.9458878045570841,
            3.4367188404456641,
        ),
    )
    absolute = (16.0, 60.0, 60.0, 120.0, 300.0, 1000.0)
    relative = 16.0
    mirrored = 2

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        below = 0.5 * torch.erfc(x * -math.sqrt(0.5))
        near = x.clamp(-50.0, 50.0)
        square = near * near
        p = torch.exp(-0.5 * square) / math.sqrt(2.0 * math.pi)
        d1 = below + near * p
        d2 = (2.0 - square) * p
        d3 = near * (square - 4.0) * p
        d4 = (square * (7.0 - square) - 4.0) * p
        d5 = near * (square * (square - 11.0) + 18.0) * p
        return (x * below, d1, d2, d3, d4, d5)[: order + 1]


def rule(_exponent: int) -> Function:
    """The rule."""
    return Gelu()
