"""Derivatives of a network of points from its values at a few points around each, all inside the box.

With nodes c + j h, j = -m .. m, and s = (x - c) / h:  D^k u(x) ~ h^-k sum_j w_j(s) u(c + j h), w_j the k-th derivative
of the Lagrange polynomial of node j. The centre c is x moved into [low + m h, high - m h], so s is 0 inside and the
taps are those of one-sided windows at the edges. Source: Fornberg, Mathematics of Computation 51, 1988.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from torch import Tensor, nn

from ..names import Index, Sum

# So much farther from the edges than m h, relative to it: sums in float32 stay inside.
INSIDE = 1e-5


@dataclass(frozen=True)
class Step:
    """Nodes c + j h, j = -half .. half."""

    half: int
    h: float

    @property
    def nodes(self) -> int:
        """2 half + 1."""
        return 2 * self.half + 1


Steps = Mapping[Index, Mapping[int, Step]]
"""For every multi-index, the step along each column it differentiates by."""


@lru_cache(maxsize=256)
def tap_polynomials(half: int, order: int) -> NDArray[np.float64]:
    """w_j(s) = sum_p t[j, p] s^p for D^order with h = 1: t [2 half + 1, 2 half + 1 - order]."""
    nodes = np.arange(-half, half + 1, dtype=np.longdouble)
    made = []
    for j, node in enumerate(nodes):
        others = np.delete(nodes, j)
        polynomial = np.polynomial.Polynomial(np.array([1.0], dtype=np.longdouble))
        for other in others:
            polynomial = polynomial * np.polynomial.Polynomial(np.array([-other, 1.0]) / (node - other))
        made.append(polynomial.deriv(order).coef if order else polynomial.coef)
    return np.array(made, dtype=np.float64)


@final
class Stencil(nn.Module):
    """x [M, d] in the box -> (y [M, ..], then one such tensor per sum of derivatives); one call of the module a node.

    Raises InputError where a stencil is wider than the box.
    """

    def __init__(self, module: nn.Module, box: Box, sums: Sequence[Sum], steps: Steps) -> None:
        super().__init__()
        self.module, self.sums, self.steps = module, tuple(sums), {k: dict(v) for k, v in steps.items()}
        self.low, self.high = tuple(box.low), tuple(box.high)
        for parts in self.steps.values():
            for column, step in parts.items():
                if 2.0 * step.half * step.h * (1.0 + INSIDE) > self.high[column] - self.low[column]:
                    raise InputError(f"stencil: {step.nodes} nodes {step.h:g} apart are wider than {box.names[column]}")

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The value and every sum of derivatives."""
        value = self.module(x)
        made: dict[Index, Tensor] = {}
        for terms in self.sums:
            for _, orders in terms:
                if orders not in made:
                    made[orders] = (
                        self._along(x, orders, list(self.steps.get(orders, {}).items())) if any(orders) else value
                    )
        return value, *(_sum([(factor, made[orders]) for factor, orders in terms]) for terms in self.sums)

    def _along(self, x: Tensor, orders: Index, columns: list[tuple[int, Step]]) -> Tensor:
        """The derivative by the columns that are left, at points that the others have moved."""
        if not columns:
            y: Tensor = self.module(x)
            return y
        (column, step), *rest = columns
        inside = step.half * step.h * (1.0 + INSIDE)
        here = x[:, column : column + 1]
        centre = torch.clamp(here, self.low[column] + inside, self.high[column] - inside)
        s = (here - centre) * (1.0 / step.h)
        table = tap_polynomials(step.half, orders[column])
        middle = self._along(_moved(x, column, centre), orders, rest)
        total: Tensor | None = None
        for j, row in zip(range(-step.half, step.half + 1), table, strict=True):
            if j == 0:
                continue  # sum_j w_j = 0: differences from the middle lose nothing to cancellation
            there = self._along(_moved(x, column, centre + j * step.h), orders, rest) - middle
            term = _like(_polynomial(s, row / step.h ** orders[column]), there) * there
            total = term if total is None else total + term
        assert total is not None
        return total


def _moved(x: Tensor, column: int, to: Tensor) -> Tensor:
    parts = [part for part in (x[:, :column], to, x[:, column + 1 :]) if part.shape[1]]
    return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


def _polynomial(s: Tensor, row: NDArray[np.float64]) -> Tensor:
    """sum_p row[p] s^p, [M, 1]."""
    made = s * float(row[-1]) if len(row) > 1 else torch.full_like(s, float(row[0]))
    for p in range(len(row) - 2, -1, -1):
        made = made + float(row[p])
        made = made * s if p else made
    return made


def _like(weight: Tensor, y: Tensor) -> Tensor:
    """A weight per row [M, 1] in the rank of y."""
    if y.dim() == 1:
        return weight[:, 0]
    return weight.reshape(-1, *([1] * (y.dim() - 1))) if y.dim() > 2 else weight


def _sum(parts: Sequence[tuple[float, Tensor]]) -> Tensor:
    total: Tensor | None = None
    for factor, part in parts:
        term = part if factor == 1.0 else factor * part
        total = term if total is None else total + term
    assert total is not None
    return total
