"""Reading --data FILE for a plain network: x [n, d] inside the box and the true values y at them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from edgepde_runtime import npz
from edgepde_runtime.box import Box

from edgepde.errors import DataError
from edgepde.train.holdout import check_rows

from .measured import HeldOut

LIMIT_BYTES = 1 << 30


def read(path: Path, box: Box, shape: tuple[int | str, ...]) -> HeldOut:
    """The data of an .npz with members x [n, d] and y [n, ...], shape being the output's with a symbol for n.

    Raises DataError naming file, member and what is wrong with it.
    """
    arrays, _ = npz.read_file(path, LIMIT_BYTES, DataError, members=("x", "y"))
    x, y = (np.asarray(arrays[name], dtype=np.float64) for name in ("x", "y"))
    if x.ndim != 2 or x.shape[1] != box.dimension or not len(x):
        raise DataError(f"{path}: x: expected [n, {box.dimension}] with the box's columns, got {list(x.shape)}")
    expected = (len(x), *shape[1:])
    if y.shape != expected:
        raise DataError(f"{path}: y: expected {list(expected)}, one row per row of x, got {list(y.shape)}")
    for name, values in (("x", x), ("y", y)):
        npz.check_finite(values, f"{path}: {name}", DataError)
    check_rows(x, box, f"{path}: x")
    return HeldOut(path.name, x, y)
