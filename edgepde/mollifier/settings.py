"""Which kernel stands for which derivative along which axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError

from edgepde.mollifier.grid import Axis, Grid
from edgepde.mollifier.joining import joined
from edgepde.mollifier.kernels import PROFILE, Kernel, kernel
from edgepde.mollifier.names import Index

LINE = "line"
"""As a half width: one fit of the whole line."""
Size = int | str
Sizes = Size | Mapping[str, Size] | None
MARGIN = 8
ROOM = 2
"""By default a kernel of order k is of degree k + MARGIN and has ROOM more samples to either side."""


@final
@dataclass(frozen=True)
class Setting:
    """A kernel along an axis: half None is the whole line; `rows` at either end have another, `edge`, if given."""

    order: int
    degree: int
    half: int | None
    profile: str = PROFILE
    edge: Setting | None = None
    rows: int = 0

    def on(self, axis: Axis) -> Kernel:
        """The kernel; InputError naming the axis that it does not fit."""
        own = kernel(axis, self.order, self.degree, self.half, self.profile)
        return own if self.edge is None else joined(own, self.edge.on(axis), self.rows, axis.size)


Plan = Mapping[Index, tuple[Setting | None, ...]]
"""For every product of a name, its orders along the axes, one setting per axis; None leaves the axis as it is."""


def default(axis: Axis, order: int, degree: Sizes, half: Sizes, profile: str) -> Setting:
    """What is asked for an axis; else degree k + MARGIN and ROOM more samples, or what a short axis has room for."""
    high = degree.get(axis.name) if isinstance(degree, Mapping) else degree
    wide = half.get(axis.name) if isinstance(half, Mapping) else half
    for what, given in (("degree", high), ("half", wide)):
        if given is None or given == LINE:
            continue
        if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 0:
            raise InputError(f"axis {axis.name}: {what}: expected a number, whole and from 0, got {given!r}")
    if high == LINE:
        raise InputError(f"axis {axis.name}: degree: expected a number, got {high!r}")
    room = (axis.size - 1) // 2 if wide in (None, LINE) else int(wide or 0)
    if high is None:
        high = max(min(order + MARGIN, room), min(order + 1, 2 * room))
    if wide is None:
        wide = min(int(high) + ROOM, room)
    return Setting(order, int(high), None if wide == LINE else int(wide), profile)


def plan(grid: Grid, products: tuple[Index, ...], degree: Sizes, half: Sizes, profile: str, smooth: bool) -> Plan:
    """The default for every axis of every product; smooth: order-0 kernels where a product does not differentiate."""
    for what, given in (("degree", degree), ("half", half)):
        if isinstance(given, Mapping) and not set(given) <= set(grid.letters):
            odd = sorted(set(given) - set(grid.letters))[0]
            raise InputError(f"{what}: expected axes of {', '.join(grid.letters)}, got {odd}")
    return {
        orders: tuple(
            default(axis, k, degree, half, profile) if k or smooth else None
            for axis, k in zip(grid.axes, orders, strict=True)
        )
        for orders in products
    }
