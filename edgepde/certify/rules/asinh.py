"""asinh(x): with r = 1 / (1 + x^2) the k-th derivative is a polynomial in x times r^(k - 1/2)."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ._function import ORDERS, Function


@final
class Asinh(Function):
    """asinh."""

    turning = (
        (),
        (0.0,),
        (-0.707106781186547524, 0.707106781186547524),
        (-1.22474487139158905, 0.0, 1.22474487139158905),
        (-1.69390271083168035, -0.361515706764014219, 0.361515706764014219, 1.69390271083168035),
        (-2.14281358646411164, -0.639022639399271307, 0.0, 0.639022639399271307, 2.14281358646411164),
    )
    absolute = (1e-290, 1e-290, 16.0, 60.0, 300.0, 1500.0)
    relative = 32.0
    mirrored = 0

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        # t = x / sqrt(1 + x^2) is sine-like, c = 1 / sqrt(1 + x^2): all powers stay in range
        c = 1.0 / torch.hypot(torch.ones_like(x), x)
        t = x * c
        square = t * t
        found = (
            torch.asinh(x),
            c,
            -t * c * c,
            c * c * c * (3.0 * square - 1.0),
            t * c**4 * (9.0 - 15.0 * square),
            c**5 * (9.0 - square * (90.0 - 105.0 * square)),
        )
        return found[: order + 1]


def rule(_exponent: int) -> Function:
    """The rule."""
    return Asinh()
