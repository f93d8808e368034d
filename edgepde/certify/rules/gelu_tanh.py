"""gelu_tanh(x) = x S(x), S = s(w), s the sigmoid, w = 2 c (x + a x^3): the k-th derivative is x S_k + k S_(k-1)."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from ._function import ORDERS, Function
from .sigmoid import series

TWICE, CUBE = 2.0 * math.sqrt(2.0 / math.pi), 0.044715


@final
class GeluTanh(Function):
    """x / 2 (1 + tanh(c (x + a x^3))), c = sqrt(2 / pi), a = 0.044715."""

    turning = (
        (-0.752461422071016258,),
        (-1.41850400879082836, 1.41850400879082836),
        (-2.01348072462425793, 0.0, 2.01348072462425793),
        (-2.5534179143294429, -0.78757618641889401, 0.78757618641889401, 2.5534179143294429),
        (-3.04785750519060811, -1.40596400973633631, 0.0, 1.40596400973633631, 3.04785750519060811),
        (
            -3.4998964931162857,
            -1.94507801361771416,
            -0.624414253715509656,
            0.624414253715509656,
            1.94507801361771416,
            3.4998964931162857,
        ),
    )
    absolute = (8.0, 12.0, 16.0, 40.0, 150.0, 400.0)
    relative = 16.0
    mirrored = 2

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        near = x.clamp(-40.0, 40.0)
        square = near * near
        w = TWICE * near * (1.0 + CUBE * square)
        value = x * torch.sigmoid(w)
        if order == 0:
            return (value,)
        w1, w2, w3 = TWICE * (1.0 + 3.0 * CUBE * square), 6.0 * TWICE * CUBE * near, 6.0 * TWICE * CUBE
        # s_k(w) = (-1)^(k-1) s_k(-w): below 0 nothing cancels
        below, sign = series(torch.sigmoid(-w.abs()), order), torch.where(w > 0.0, -1.0, 1.0)
        s = [torch.sigmoid(w), *(v if k % 2 == 0 else v * sign for k, v in enumerate(below[1:]))]
        inner = [s[0], s[1] * w1]
        if order >= 2:
            inner.append(s[2] * w1 * w1 + s[1] * w2)
        if order >= 3:
            inner.append(s[3] * w1**3 + 3.0 * s[2] * w1 * w2 + s[1] * w3)
        if order >= 4:
            inner.append(s[4] * w1**4 + 6.0 * s[3] * w1 * w1 * w2 + s[2] * (3.0 * w2 * w2 + 4.0 * w1 * w3))
        if order >= 5:
            third = s[3] * (15.0 * w1 * w2 * w2 + 10.0 * w1 * w1 * w3)
            inner.append(s[5] * w1**5 + 10.0 * s[4] * w1**3 * w2 + third + 10.0 * s[2] * w2 * w3)
        return (value, *(near * inner[k] + k * inner[k - 1] for k in range(1, order + 1)))


def rule(_exponent: int) -> Function:
    """The rule."""
    return GeluTanh()
