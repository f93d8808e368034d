"""Held-out data: values of the true field that no training sees, to measure the error against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from edgepde_runtime import npz
from edgepde_runtime.box import Box
from numpy.typing import NDArray

from edgepde.errors import DataError

LIMIT_BYTES = 2 << 30
MEMBERS = ("parameters", "points", "values")
Array = NDArray[np.float64]


def check_rows(rows: Array, box: Box, where: str) -> None:
    """Raises DataError naming `where`, row and column if not every row of rows [n, d] lies in the box."""
    if rows.shape[1] != box.dimension:
        raise DataError(f"{where}: expected {box.dimension} columns ({', '.join(box.names)}), got {rows.shape[1]}")
    if outside := box.first_outside(rows):
        row, column, count = outside
        raise DataError(
            f"{where}: row {row}: {box.names[column]} expected in [{box.low[column]}, {box.high[column]}], "
            f"got {rows[row, column]} ({count} rows outside)"
        )


@dataclass(frozen=True, eq=False)
class HeldOut:
    """values[b, m] = u(points[m]; parameters[b]): parameters [B, P], points [M, d], values [B, M], float64, finite."""

    source: Path
    sha256: str
    parameters: Array
    points: Array
    values: Array

    def check_inside(self, parameters: Box, points: Box) -> HeldOut:
        """The data itself if every row lies in its box; DataError naming file, member, row and column otherwise."""
        check_rows(self.parameters, parameters, f"{self.source}: parameters")
        check_rows(self.points, points, f"{self.source}: points")
        return self


def read_held_out(path: Path | str) -> HeldOut:
    """Read an .npz with parameters [B, P], points [M, d] and values [B, M].

    Raises DataError naming file and member: not an npz, a member missing, unknown, too large, truncated, not of real
    numbers, not finite, empty, of the wrong rank, or of shapes that disagree.
    """
    source = Path(path)
    arrays, digest = npz.read_file(source, LIMIT_BYTES, DataError, dtypes=npz.REALS, members=MEMBERS)
    parameters, points, values = (_matrix(arrays.pop(name), f"{source}: {name}") for name in MEMBERS)
    expected = (len(parameters), len(points))
    if values.shape != expected:
        raise DataError(
            f"{source}: values: expected {list(expected)}, rows of parameters by rows of points, "
            f"got {list(values.shape)}"
        )
    return HeldOut(source, digest, parameters, points, values)


def _matrix(array: NDArray[np.number], where: str) -> Array:
    if array.ndim != 2 or min(array.shape) < 1:
        raise DataError(f"{where}: expected two dimensions, none of them 0, got {list(array.shape)}")
    npz.check_finite(array, where, DataError)
    return array.astype(np.float64)
