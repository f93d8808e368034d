"""sigmoid(x) = s: s' = s (1 - s), and every further derivative is a polynomial in s."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ._function import ORDERS, Function


def series(s: Tensor, order: int) -> tuple[Tensor, ...]:
    """s and its derivatives up to `order` <= 5."""
    d1 = s * (1.0 - s)
    found = [s, d1]
    if order >= 2:
        found.append(d1 * (1.0 - 2.0 * s))
    if order >= 3:
        found.append(d1 * (1.0 - 6.0 * d1))
    if order >= 4:
        found.append(found[2] * (1.0 - 12.0 * d1))
    if order >= 5:
        found.append(d1 * (1.0 - 30.0 * d1 + 120.0 * d1 * d1))
    return tuple(found[: order + 1])


@final
class Sigmoid(Function):
    """1 / (1 + exp(-x))."""

    turning = (
        (),
        (0.0,),
        (-1.3169578969248168, 1.3169578969248168),
        (-2.2924316695611777, 0.0, 2.2924316695611777),
        (-3.1443184061549304, -0.84263294812937664, 0.84263294812937664, 3.1443184061549304),
        (-3.9360983706738154, -1.5133518472923350, 0.0, 1.5133518472923350, 3.9360983706738154),
    )
    absolute = (8.0, 16.0, 40.0, 120.0, 300.0, 1000.0)
    bound = 1.0
    attained = False
    mirrored = 1

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        return series(torch.sigmoid(x), order)


def rule(_exponent: int) -> Function:
    """The rule."""
    return Sigmoid()
