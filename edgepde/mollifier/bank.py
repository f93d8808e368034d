"""All derivatives that are asked of a grid, as the op `mollified_derivative` takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import ArrayLike, NDArray

from edgepde.mollifier.grid import MOST_AXES, Grid
from edgepde.mollifier.kernels import PROFILE, Kernel, kernel
from edgepde.mollifier.names import Index, combination
from edgepde.mollifier.windows import starts

Floats = NDArray[np.float64]
Sizes = int | Mapping[str, int] | None
MARGIN = 6
"""By default a kernel of order k is of degree k + MARGIN, and of as many samples to either side."""


@final
@dataclass(frozen=True, eq=False)
class Bank:
    """y_o = sum_k combine[o, k] P_k u with P_k the product over axes of kernel orders[k, a] (-1: none).

    taps: [Q_a, R_a, W_a] for three axes, the grid's being the last ones; kernels [d][Q_a]: what is known of each.
    """

    grid: Grid
    names: tuple[str, ...]
    taps: tuple[Floats, Floats, Floats]
    orders: NDArray[np.int64]
    combine: Floats
    kernels: tuple[tuple[Kernel, ...], ...]

    @property
    def lead(self) -> int:
        """Axes of the op that the grid does not have; they come first."""
        return MOST_AXES - len(self.grid.axes)

    def apply(self, values: ArrayLike) -> Floats:
        """Fields [..., n_1..n_d] to all outputs [..., O, n_1..n_d], in float64."""
        field = self.grid.fits(values)
        d = len(self.grid.axes)
        batch = field.shape[: field.ndim - d]
        x = field.reshape(-1, *self.grid.shape)
        parts = []
        for row in self.orders[:, self.lead :]:
            part = x
            for a in reversed(range(d)):
                if row[a] >= 0:
                    matrix = self.kernels[a][row[a]].matrix(self.grid.shape[a])
                    part = np.moveaxis(np.moveaxis(part, a + 1, -1) @ matrix.T, -1, a + 1)
            parts.append(part)
        y = np.einsum("ok,kb...->bo...", self.combine, np.stack(parts))
        return np.asarray(y.reshape(*batch, len(self.names), *self.grid.shape))


def bank(
    grid: Grid,
    names: Sequence[str],
    degree: Sizes = None,
    half: Sizes = None,
    profile: str = PROFILE,
    smooth: bool = False,
) -> Bank:
    """Kernels for the named derivatives ("u", "u_x", "u_xxyy", "laplacian", "biharmonic").

    degree, half: of all kernels, or by axis; by default the order + MARGIN, less where the axis is short.
    smooth: order-0 kernels along the axes a name does not differentiate by; else those stay as they are.
    InputError naming the axis or the name that does not fit.
    """
    if not names or len(set(names)) != len(names):
        raise InputError(f"names: expected one or more different derivatives, got {list(names)}")
    sums = [combination(name, grid.letters) for name in names]
    products = list(dict.fromkeys(orders for total in sums for _, orders in total))
    combine = np.zeros((len(names), len(products)))
    for o, total in enumerate(sums):
        for factor, orders in total:
            combine[o, products.index(orders)] += factor
    used = [_used(products, a, smooth) for a in range(len(grid.axes))]
    kernels = tuple(
        tuple(kernel(axis, k, *_sizes(axis.size, k, axis.name, degree, half), profile) for k in used[a])
        for a, axis in enumerate(grid.axes)
    )
    lead = MOST_AXES - len(grid.axes)
    table = np.full((len(products), MOST_AXES), -1, np.int64)
    for row, orders in zip(table, products, strict=True):
        for a, k in enumerate(orders):
            row[lead + a] = used[a].index(k) if k in used[a] else -1
    return Bank(grid, tuple(names), _stacked(kernels, grid, lead), table, combine, kernels)


def _used(products: Sequence[Index], axis: int, smooth: bool) -> list[int]:
    """Orders that need a kernel along an axis."""
    return sorted({orders[axis] for orders in products if orders[axis] or smooth})


def _sizes(samples: int, order: int, name: str, degree: Sizes, half: Sizes) -> tuple[int, int]:
    """Degree and half width of one kernel: what is asked, else what the axis has room for."""
    wide = half.get(name) if isinstance(half, Mapping) else half
    high = degree.get(name) if isinstance(degree, Mapping) else degree
    room = (samples - 1) // 2
    if high is None:
        high = min(order + MARGIN, 2 * (room if wide is None else wide))
    if wide is None:
        wide = min(max(high, 1), room)
    return high, wide


def _stacked(kernels: tuple[tuple[Kernel, ...], ...], grid: Grid, lead: int) -> tuple[Floats, Floats, Floats]:
    made = [np.ones((1, 1, 1))] * lead
    made += [_common(own, axis.size) for own, axis in zip(kernels, grid.axes, strict=True)]
    return made[0], made[1], made[2]


def _common(kernels: tuple[Kernel, ...], samples: int) -> Floats:
    """Kernels of one axis side by side, [Q, R, W] with the widest window; narrower ones have zeros around them."""
    if not kernels:
        return np.ones((1, 1, 1))
    width = max(one.width for one in kernels)
    shared = all(len(one.taps) == one.width for one in kernels)
    line = width if shared else samples
    columns = starts(line, width)[:, None] + np.arange(width)
    return np.stack([np.take_along_axis(one.matrix(line), columns, 1) for one in kernels])
