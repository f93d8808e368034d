"""Derivatives of a network itself on a grid: what the layer is held against, and what may win."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

import numpy as np
import torch
from edgepde_runtime.errors import InputError
from torch import Tensor

from .derivator import Derivator, Fields, Tables, shaped
from .grid import Grid
from .hosts._host import grid_points
from .hosts._separable import SeparableHost
from .names import Index


@final
class SeparableJets(Derivator):
    """Exact derivatives of a separable host: those of its networks of one coordinate, multiplied out."""

    def __init__(self, grid: Grid, names: Sequence[str], *, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(grid, names, dtype)

    def of(
        self, net: Callable[..., Tensor], parameters: Tensor | None = None, coordinates: Sequence[str] | None = None
    ) -> Fields:
        """The named tuple of a separable host over the grid's axes in their order; InputError for another network."""
        if not isinstance(net, SeparableHost) or parameters is not None:
            raise InputError(f"SeparableJets: expected a separable host of points alone, got {type(net).__name__}")
        if self.columns(coordinates) != list(range(len(self.shape))):
            raise InputError(
                f"SeparableJets: coordinates: expected {list(self.letters)}, got {list(coordinates or ())}"
            )
        series, asked = net.series(self.axes, self._highest()), products(self)
        made = {orders: net.assemble(series, orders) for orders in asked}
        return self.fields(*(_sum(total, made) for total in self.sums))

    def tables(self, host: SeparableHost) -> Tables:
        """Exact ones."""
        series, asked = host.series(self.axes, self._highest()), products(self)
        combine = np.zeros((len(self.sums), len(asked)))
        for row, total in zip(combine, self.sums, strict=True):
            for factor, orders in total:
                row[asked.index(orders)] += factor
        ways = [[series[a][k] for a, k in enumerate(orders)] for orders in asked]
        return Tables([parts[0] for parts in series], ways, combine)

    def _highest(self) -> list[int]:
        return [max(orders[a] for orders in products(self)) for a in range(len(self.shape))]


@final
class NestedAutograd(Derivator):
    """Exact derivatives of any smooth network by one backward pass inside another."""

    def __init__(self, grid: Grid, names: Sequence[str], *, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(grid, names, dtype)

    def of(
        self, net: Callable[..., Tensor], parameters: Tensor | None = None, coordinates: Sequence[str] | None = None
    ) -> Fields:
        """The named tuple of a network of points alone; InputError where there are parameters."""
        if parameters is not None:
            raise InputError("NestedAutograd: parameters: expected none")
        with torch.enable_grad():
            columns = [c.detach().requires_grad_() for c in grid_points(self.axes).unbind(1)]
            value = net(torch.stack([columns[c] for c in self.columns(coordinates)], dim=1))
            made: dict[Index, Tensor] = {(0,) * len(columns): value.reshape(-1)}
            for orders in products(self):
                _differentiated(orders, columns, made)
        parts = {orders: shaped(made[orders], self.shape, None) for orders in products(self)}
        return self.fields(*(_sum(total, parts) for total in self.sums))


def products(derivator: Derivator) -> list[Index]:
    """All multi-indices that its names are sums of."""
    return list(dict.fromkeys(orders for total in derivator.sums for _, orders in total))


def _differentiated(orders: Index, columns: Sequence[Tensor], made: dict[Index, Tensor]) -> Tensor:
    """D^orders from the derivative one order lower, which is kept."""
    if orders not in made:
        axis = next(a for a in range(len(orders)) if orders[a])
        below = _differentiated(tuple(k - (a == axis) for a, k in enumerate(orders)), columns, made)
        made[orders] = torch.autograd.grad(below.sum(), columns[axis], create_graph=True)[0]
    return made[orders]


def _sum(total: Sequence[tuple[float, Index]], made: dict[Index, Tensor]) -> Tensor:
    parts = [made[orders] if factor == 1.0 else factor * made[orders] for factor, orders in total]
    return sum(parts[1:], parts[0])
