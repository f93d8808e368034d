"""Derivatives of a network of one variable, carried forwards as Taylor coefficients: exact to every order."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

Series = list[Tensor]
"""Coefficients u^(k) / k! of one variable, each [N, width]."""


def tanh_series(x: Series) -> Series:
    """tanh of a series: y' = (1 - y^2) x'."""
    y = [torch.tanh(x[0])]
    square = [1.0 - y[0] * y[0]]
    for k in range(1, len(x)):
        y.append(_through(x, square, k))
        if k + 1 < len(x):
            square.append(-_product(y, y, k))
    return y


def sin_series(x: Series) -> Series:
    """sin of a series: s' = c x', c' = -s x'."""
    s, c = [torch.sin(x[0])], [torch.cos(x[0])]
    for k in range(1, len(x)):
        new = _through(x, c, k)
        c.append(-_through(x, s, k))
        s.append(new)
    return s


def network_series(
    layers: nn.ModuleList, points: Tensor, orders: int, function: Callable[[Series], Series] = tanh_series
) -> Series:
    """The derivatives 0 .. orders of layers [1, .., R] at points [N]: each [N, R]."""
    zero = torch.zeros_like(points)[:, None]
    series = [points[:, None], torch.ones_like(zero)][: orders + 1] + [zero] * (orders - 1)
    for place, layer in enumerate(layers):
        assert isinstance(layer, nn.Linear)
        if place:
            series = function(series)
        stacked = torch.stack(series) @ layer.weight.T
        series = [stacked[0] + layer.bias, *stacked[1:]]
    return [math.factorial(k) * part for k, part in enumerate(series)]


def _through(x: Series, slope: Series, k: int) -> Tensor:
    """Coefficient k of the y with y' = slope x'."""
    total = slope[0] * x[k]
    for j in range(1, k):
        total = total + (j / k) * x[j] * slope[k - j]
    return total


def _product(x: Series, y: Series, k: int) -> Tensor:
    total = x[0] * y[k]
    for j in range(1, k + 1):
        total = total + x[j] * y[k - j]
    return total
