"""x^n for integers n >= 2."""

from __future__ import annotations

import math

import torch
from edgepde_runtime.errors import UnsupportedModel
from torch import Tensor

from ._function import ORDERS, Function


class Power(Function):
    """x^n: the k-th derivative is n! / (n - k)! x^(n - k)."""

    turning = ((0.0,),) * ORDERS
    absolute = (0.0,) * ORDERS

    def __init__(self, exponent: int) -> None:
        self.exponent = exponent
        self.relative = 2.0 * exponent + 4.0

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        n, found = self.exponent, []
        for k in range(order + 1):
            factor = float(math.perm(n, k))
            found.append(factor * x ** (n - k) if k < n else torch.full_like(x, factor))
        return tuple(found)


def rule(exponent: int) -> Function:
    """The rule; raises UnsupportedModel for exponents below 2 or above 32."""
    if not 2 <= exponent <= 32:
        raise UnsupportedModel(f"power: expected an integer exponent from 2 to 32, got {exponent}")
    return Power(exponent)
