"""silu(x) = x s(x), s the sigmoid: the k-th derivative is x s_k + k s_(k-1)."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ._function import ORDERS, Function
from .sigmoid import series


@final
class Silu(Function):
    """x / (1 + exp(-x))."""

    turning = (
        (-1.2784645427610738,),
        (-2.3993572805154677, 2.3993572805154677),
        (-3.4358409935351107, 0.0, 3.4358409935351107),
        (-4.4292351005572280, -1.0319582417807491, 1.0319582417807491, 4.4292351005572280),
        (-5.4008187394952159, -1.8197756117250127, 0.0, 1.8197756117250127, 5.4008187394952159),
        (
            -6.3619922836816901,
            -2.5062894864027524,
            -0.71774192314656656,
            0.71774192314656656,
            2.5062894864027524,
            6.3619922836816901,
        ),
    )
    absolute = (16.0, 100.0, 300.0, 800.0, 4000.0, 20000.0)
    relative = 16.0
    mirrored = 2

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        s = series(torch.sigmoid(x), order)
        # beyond 700 the sigmoid's derivatives are 0 or below what counts; x stays finite
        near = x.clamp(-745.0, 745.0)
        return (x * s[0], *(near * s[k] + k * s[k - 1] for k in range(1, order + 1)))


def rule(_exponent: int) -> Function:
    """The rule."""
    return Silu()
