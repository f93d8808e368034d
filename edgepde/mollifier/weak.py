"""Weak forms: fields and products integrated against shifted test functions, derivatives moved onto these by parts.

    int D^a v phi_k = (-1)^|a| int v D^a phi_k,   phi_k(x) = prod_a (1 - ((x_a - x_k,a) / r_a)^2)^power inside its box

A product lambda v needs no derivative of lambda and no division, so lambda may be rough: the divergence of lambda u_x
is int (lambda u_x)_x phi = -int lambda u_x phi_x.  Sources: arXiv:2005.04339 (WSINDy), arXiv:2505.11682.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
import torch
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from torch import Tensor, nn

from .grid import Axis, Grid
from .layer import along
from .names import combination

POWER = 8


@final
class WeakForm(nn.Module):
    """Integrals of a field against D of test functions at every `stride`-th node that has the window's room.

    names: of derivatives and their sums, as of the layer. half: nodes to either side, of all axes or by name. power: of
    the test functions, above the highest order by 2 at least; the trapezoidal rule is then of order power or better.
    Raises InputError: an axis that is not uniform or too short, naming it; a power too low.
    """

    def __init__(
        self,
        grid: Grid,
        names: Sequence[str],
        *,
        half: int | Mapping[str, int] = 8,
        power: int = POWER,
        stride: int = 1,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        self.grid, self.names = grid, tuple(names)
        self.sums = {name: combination(name, grid.letters) for name in names}
        if stride < 1:
            raise InputError(f"WeakForm: stride: expected at least 1, got {stride}")
        for place, axis in enumerate(grid.axes):
            wide = half[axis.name] if isinstance(half, Mapping) else half
            for order in {orders[place] for total in self.sums.values() for _, orders in total}:
                matrix = torch.from_numpy(integrals(axis, order, wide, power, stride)).to(dtype)
                self.register_buffer(f"matrix_{place}_{order}", matrix, persistent=False)

    def forward(self, values: Tensor, name: str) -> Tensor:
        """int D[values] phi_k: [.., n_1, .., n_d] -> [.., m_1, .., m_d]. InputError for another shape or name."""
        d = len(self.grid.axes)
        if name not in self.sums:
            raise InputError(f"WeakForm: name: expected one of {list(self.names)}, got {name!r}")
        if tuple(values.shape[max(0, values.dim() - d) :]) != self.grid.shape:
            raise InputError(f"WeakForm: values: expected [.., {list(self.grid.shape)}], got {list(values.shape)}")
        parts = [factor * self._product(values, orders) for factor, orders in self.sums[name]]
        return sum(parts[1:], parts[0])

    def adjoint(self, weights: Tensor, name: str) -> Tensor:
        """The transpose of `forward`, [.., m_1, .., m_d] -> [.., n_1, .., n_d]: sum_k weights_k (-1)^|a| D^a phi_k."""
        parts = [factor * self._product(weights, orders, transposed=True) for factor, orders in self.sums[name]]
        return sum(parts[1:], parts[0])

    def _product(self, values: Tensor, orders: Sequence[int], transposed: bool = False) -> Tensor:
        d = len(orders)
        for place in reversed(range(d)):
            matrix = self.get_buffer(f"matrix_{place}_{orders[place]}")
            values = along(matrix.T if transposed else matrix, values, place - d)
        return values


def integrals(axis: Axis, order: int, half: int, power: int = POWER, stride: int = 1) -> NDArray[np.float64]:
    """Rows (-1)^order phi^(order)(x_j - x_k) h of one uniform axis: [m, n], k = half, half + stride, ..

    InputError naming the axis where it is not uniform or has fewer than 2 half + 1 nodes.
    """
    if half < 1 or axis.size < 2 * half + 1:
        raise InputError(f"axis {axis.name}: half: expected 1 to {(axis.size - 1) // 2} nodes to a side, got {half}")
    if power < order + 2:
        raise InputError(f"axis {axis.name}: power: expected at least {order + 2} for order {order}, got {power}")
    spacing = axis.spacing
    radius = spacing * half
    profile = (np.polynomial.Polynomial([1.0, 0.0, -1.0]) ** power).deriv(order)
    taps = (-1.0) ** order * profile(np.arange(-half, half + 1) / half) * spacing / radius**order
    centres = np.arange(half, axis.size - half, stride)
    matrix = np.zeros((len(centres), axis.size))
    matrix[np.arange(len(centres))[:, None], centres[:, None] + np.arange(-half, half + 1)] = taps
    return matrix
