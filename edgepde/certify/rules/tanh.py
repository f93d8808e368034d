"""tanh(x) = t: t' = 1 - t^2, and every further derivative is a polynomial in t."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ._function import ORDERS, Function


@final
class Tanh(Function):
    """tanh."""

    turning = (
        (),
        (0.0,),
        (-0.65847894846240835, 0.65847894846240835),
        (-1.1462158347805888, 0.0, 1.1462158347805888),
        (-1.5721592030774652, -0.42131647406468832, 0.42131647406468832, 1.5721592030774652),
        (-1.9680491853369077, -0.7566759236461675, 0.0, 0.7566759236461675, 1.9680491853369077),
    )
    absolute = (8.0, 20.0, 64.0, 300.0, 1000.0, 4000.0)
    bound = 1.0
    attained = False
    mirrored = 0

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        t = torch.tanh(x)
        if order == 0:
            return (t,)
        square = t * t
        d1 = 1.0 - square
        found = [t, d1]
        if order >= 2:
            found.append(-2.0 * t * d1)
        if order >= 3:
            found.append(d1 * (6.0 * square - 2.0))
        if order >= 4:
            found.append(t * d1 * (16.0 - 24.0 * square))
        if order >= 5:
            found.append(d1 * (16.0 - 120.0 * square * d1))
        return tuple(found)


def rule(_exponent: int) -> Function:
    """The rule."""
    return Tanh()
