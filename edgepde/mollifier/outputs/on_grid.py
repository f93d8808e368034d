"""Derivatives of a network whose output is a field on a grid: the op mollified_derivative after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from ..bank import Bank
from ..grid import MOST_AXES, Grid
from ..mollified_derivative import mollified_derivative


@final
class OnGrid(nn.Module):
    """x [M, d] -> (y, then D_k y [M, n_1 .. n_a] for every name of the bank); y may have axes of length 1 more.

    The taps are rounded to the dtype; in float64 they stay the same numbers.
    """

    def __init__(self, module: nn.Module, made: Bank, dtype: torch.dtype) -> None:
        super().__init__()
        self.module, self.shape, self.count = module, made.grid.shape, len(made.names)
        held = {f"taps_{i + 1}": torch.from_numpy(taps.copy()).to(dtype) for i, taps in enumerate(made.taps)}
        held["combine"] = torch.from_numpy(made.combine.copy()).to(dtype)
        for name, values in {**held, "orders": torch.from_numpy(made.orders.copy())}.items():
            self.register_buffer(name, values, persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The field and its derivatives."""
        y = self.module(x)
        ones = (1,) * (MOST_AXES - len(self.shape))
        field = y.reshape(-1, *ones, *self.shape)
        taps = (self.get_buffer(f"taps_{i}") for i in (1, 2, 3))
        made = mollified_derivative(field, *taps, self.get_buffer("orders"), self.get_buffer("combine"))
        return y, *(made[:, k].reshape(-1, *self.shape) for k in range(self.count))


def check_on_grid(shape: Sequence[int], grid: Grid) -> None:
    """Raises InputError naming the sizes where an output's row is not a field on the grid."""
    if tuple(n for n in shape if n != 1) != tuple(n for n in grid.shape if n != 1):
        axes = ", ".join(f"{axis.name} {axis.size}" for axis in grid.axes)
        raise InputError(f"--grid: the output has rows of shape {list(shape)}, the grid is {axes} (slowest first)")
