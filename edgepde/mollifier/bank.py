"""All derivatives that are asked of a grid, as the op `mollified_derivative` takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from edgepde_runtime.ops.mollified_derivative.reference import run
from numpy.typing import ArrayLike, NDArray

from edgepde.mollifier import bounds
from edgepde.mollifier.grid import MOST_AXES, Grid
from edgepde.mollifier.holes import patched
from edgepde.mollifier.kernels import PROFILE, Kernel
from edgepde.mollifier.names import combination
from edgepde.mollifier.settings import Plan, Setting, Sizes, plan
from edgepde.mollifier.windows import starts

Floats = NDArray[np.float64]


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

    @property
    def products(self) -> list[list[Kernel | None]]:
        """The kernels of every P_k, one for each axis of the grid."""
        own = self.orders[:, self.lead :].tolist()
        return [[self.kernels[a][q] if q >= 0 else None for a, q in enumerate(row)] for row in own]

    def apply(self, values: ArrayLike) -> Floats:
        """Fields [..., n_1..n_d] to all outputs [..., O, n_1..n_d], in float64, by the op's reference.

        NaN in a field is a missing reading: rows that read it are fitted without it, or are NaN in their turn.
        """
        field = self.grid.fits(values)
        batch = field.shape[: field.ndim - len(self.grid.axes)]
        x = field.reshape(-1, *[1] * self.lead, *self.grid.shape)
        y = self._patched(x) if np.isnan(x).any() else run([x, *self.taps, self.orders, self.combine], {})[0]
        return np.asarray(y.reshape(*batch, len(self.names), *self.grid.shape))

    def bound(self, largest: bounds.Largest, noise: float = 0.0, rounding: float = 2.0**-53) -> Floats:
        """At every sample a number >= |output - derivative of u|, [O, n_1..n_d].

        largest(orders) >= max |D^orders u| on the grid's box, for orders along the axes; noise: of the readings, at
        most; rounding: the unit of the arithmetic that applies the bank.
        """
        own = [bounds.product(row, self.grid.shape, largest, noise, rounding) for row in self.products]
        return np.asarray(np.einsum("ok,k...->o...", np.abs(self.combine), np.stack(own)))

    @cached_property
    def spread(self) -> Floats:
        """Standard deviation of every output under white noise of deviation 1, [O, n_1..n_d]."""
        found = []
        for row in self.combine:
            used = np.flatnonzero(row)
            products = self.products
            found.append(bounds.deviation([products[k] for k in used], list(row[used]), self.grid.shape))
        return np.stack(found)

    def _patched(self, x: Floats) -> Floats:
        parts = []
        for row in self.products:
            part = x
            for a in reversed(range(len(row))):
                own = row[a]
                if own is not None:
                    part = patched(part, own, 1 + self.lead + a)
            parts.append(part)
        return np.stack([sum(c * parts[k] for k, c in enumerate(row) if c) for row in self.combine], axis=1)


def bank(
    grid: Grid,
    names: Sequence[str],
    degree: Sizes = None,
    half: Sizes = None,
    profile: str = PROFILE,
    smooth: bool = False,
    plans: Mapping[str, Plan] | None = None,
) -> Bank:
    """Kernels for the named derivatives ("u", "u_x", "u_xxyy", "laplacian", "biharmonic").

    degree, half ("line": the whole line): of all kernels, or by axis; see settings.default. smooth: order-0 kernels
    along the axes a name does not differentiate by; else those stay as they are. plans: settings by name (radius.choose
    finds them), before all of these. InputError naming the axis or the name that does not fit.
    """
    if not names or len(set(names)) != len(names):
        raise InputError(f"names: expected one or more different derivatives, got {list(names)}")
    rows: dict[tuple[Setting | None, ...], int] = {}
    entries = []
    for o, name in enumerate(names):
        total = combination(name, grid.letters)
        known = (plans or {}).get(name)
        own = known or plan(grid, tuple(orders for _, orders in total), degree, half, profile, smooth)
        entries += [(o, rows.setdefault(own[orders], len(rows)), factor) for factor, orders in total]
    combine = np.zeros((len(names), len(rows)))
    for o, k, factor in entries:
        combine[o, k] += factor
    return _made(grid, tuple(names), list(rows), combine)


def _made(grid: Grid, names: tuple[str, ...], rows: list[tuple[Setting | None, ...]], combine: Floats) -> Bank:
    lead = MOST_AXES - len(grid.axes)
    table = np.full((len(rows), MOST_AXES), -1, np.int64)
    stacks, kernels = [np.ones((1, 1, 1))] * lead, []
    for a, axis in enumerate(grid.axes):
        used = sorted({one for row in rows if (one := row[a])}, key=str)
        own = tuple(one.on(axis) for one in used)
        table[:, lead + a] = [-1 if (one := row[a]) is None else used.index(one) for row in rows]
        stacks.append(_common(own, axis.size))
        kernels.append(own)
    return Bank(grid, names, (stacks[0], stacks[1], stacks[2]), table, combine, tuple(kernels))


def _common(kernels: tuple[Kernel, ...], samples: int) -> Floats:
    """Kernels of one axis side by side, [Q, R, W] with the widest window; narrower ones have zeros around them."""
    if not kernels:
        return np.ones((1, 1, 1))
    width = max(one.width for one in kernels)
    shared = all(len(one.taps) == one.width for one in kernels)
    line = width if shared else samples
    columns = starts(line, width)[:, None] + np.arange(width)
    return np.stack([np.take_along_axis(one.matrix(line), columns, 1) for one in kernels])
