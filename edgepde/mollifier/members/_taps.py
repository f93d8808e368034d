"""Derivatives of readings as the op mollified_derivative takes them, edges of zero flux as mirrors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..bank import bank
from ..grid import Grid
from ..mollified_derivative import mollified_derivative
from ..names import TIME

Floats = NDArray[np.float64]


@final
class Derivatives(nn.Module):
    """Readings [M, n_1..n_d] float32 -> their derivatives by name, each [M, n_1..n_d].

    half, degree: of the kernels, by axis. mirrored: u goes on evenly beyond its edges in space, so that windows there
    are as quiet as inside: the zero-flux condition. The kernels are part of what is saved.
    InputError where an axis is too short.
    """

    taps_1: Tensor
    taps_2: Tensor
    taps_3: Tensor
    orders: Tensor
    combine: Tensor

    def __init__(
        self, grid: Grid, names: Sequence[str], half: Mapping[str, int], degree: Mapping[str, int], *, mirrored: bool
    ) -> None:
        super().__init__()
        made = bank(grid, names, degree, half, smooth=True)
        self.names, self.shape = tuple(names), grid.shape
        for place, taps in enumerate(made.taps):
            axis = grid.axes[place - made.lead] if place >= made.lead else None
            even = mirrored and axis is not None and axis.name != TIME and axis.uniform
            taken = np.stack([folded(row) for row in taps]) if even else taps
            self.register_buffer(f"taps_{place + 1}", torch.from_numpy(taken.copy()).float())
        self.register_buffer("orders", torch.from_numpy(made.orders))
        self.register_buffer("combine", torch.from_numpy(made.combine).float())

    def forward(self, readings: Tensor) -> dict[str, Tensor]:
        """One pass of the op."""
        ones = (1,) * (3 - len(self.shape))
        x = readings.reshape(-1, *ones, *self.shape)
        taps = tuple(t.to(x.dtype) for t in (self.taps_1, self.taps_2, self.taps_3))
        y = mollified_derivative(x, *taps, self.orders, self.combine.to(x.dtype))
        return {name: part.reshape(-1, *self.shape) for name, part in zip(self.names, y.unbind(1), strict=True)}


def folded(taps: Floats) -> Floats:
    """The windows [W, W] of one kernel, those at the ends being the middle one mirrored at the end samples."""
    width = len(taps)
    half = width // 2
    made = np.zeros_like(taps)
    for row in range(width):
        columns = np.abs(row + np.arange(-half, half + 1))
        columns = np.where(columns > width - 1, 2 * (width - 1) - columns, columns)
        np.add.at(made[row], columns, taps[half])
    return made
