"""Sparse and noisy readings of a field: where, what, and which of them are kept for validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from .grid import Grid, reals


@final
@dataclass(frozen=True)
class Readings:
    """points [M, d] in the order of the grid's axes; values [M], NaN where a sensor was silent: such are left out.

    Raises InputError for shapes that disagree, points that are not finite and where fewer than two readings are left.
    """

    points: NDArray[np.float64]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        points, values = reals(self.points, "readings: points"), reals(self.values, "readings: values")
        if points.ndim != 2 or values.shape != points.shape[:1]:
            raise InputError(f"readings: expected points [M, d] and values [M], got {points.shape} and {values.shape}")
        if not np.isfinite(points).all():
            row = int(np.argwhere(~np.isfinite(points))[0, 0])
            raise InputError(f"readings: points: expected finite numbers, row {row} has {points[row].tolist()}")
        if np.isinf(values).any():
            row = int(np.argmax(np.isinf(values)))
            raise InputError(f"readings: values: expected finite numbers or NaN, row {row} has {values[row]}")
        sound = ~np.isnan(values)
        if sound.sum() < 2:
            raise InputError(
                f"readings: expected at least 2 numbers, got {int(sound.sum())} among {len(values)} values"
            )
        object.__setattr__(self, "points", points[sound])
        object.__setattr__(self, "values", values[sound])

    @classmethod
    def of_grid(cls, grid: Grid, values: NDArray[np.float64]) -> Readings:
        """Values [n_1, .., n_d] on a grid, NaN where there is none."""
        shape = tuple(len(axis.values) for axis in grid.axes)
        if values.shape != shape:
            raise InputError(f"readings: expected values {list(shape)} on the grid, got {list(values.shape)}")
        mesh = np.meshgrid(*(axis.values for axis in grid.axes), indexing="ij")
        return cls(np.stack([m.ravel() for m in mesh], axis=1), np.asarray(values, dtype=np.float64).ravel())

    def inside(self, grid: Grid) -> None:
        """InputError where a point is outside the grid's box."""
        if self.points.shape[1] != len(grid.axes):
            raise InputError(f"readings: expected {len(grid.axes)} coordinates, got {self.points.shape[1]}")
        for place, axis in enumerate(grid.axes):
            low, high = axis.values[0], axis.values[-1]
            margin = 1e-9 * (high - low)
            off = (self.points[:, place] < low - margin) | (self.points[:, place] > high + margin)
            if off.any():
                row = int(np.argmax(off))
                found = f"row {row} is at {self.points[row, place]:g}"
                raise InputError(f"readings: axis {axis.name}: expected {low:g} to {high:g}, {found}")

    def split(self, share: float, seed: int) -> tuple[Readings, Readings]:
        """Those to fit and those to judge by, drawn by seed."""
        order = np.random.default_rng(seed).permutation(len(self.values))
        held = max(1, round(share * len(order)))
        kept, apart = np.sort(order[held:]), np.sort(order[:held])
        return Readings(self.points[kept], self.values[kept]), Readings(self.points[apart], self.values[apart])
