"""Reading --data FILE for a plain network: x [n, d] inside the box and the true values of outputs at them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from edgepde_runtime import npz
from edgepde_runtime.box import Box
from edgepde_runtime.manifest import OutputSpec

from edgepde.errors import DataError
from edgepde.train.holdout import check_rows

from .measured import HeldOut

LIMIT_BYTES = 1 << 30


def read(path: Path, box: Box, outputs: Sequence[OutputSpec]) -> dict[str, HeldOut]:
    """The data of an .npz with members x [n, d] and y [n, ...], y being the values of the only output.

    Of several outputs each that is given has a member of its name, at least one is.
    Raises DataError naming file, member and what is wrong with it.
    """
    members = {"y": outputs[0]} if len(outputs) == 1 else {spec.name: spec for spec in outputs}
    arrays, _ = npz.read_file(path, LIMIT_BYTES, DataError, members=("x", "y") if len(outputs) == 1 else None)
    given = [name for name in members if name in arrays]
    if "x" not in arrays or not given or set(arrays) - {"x", *given}:
        got = ", ".join(sorted(arrays))
        raise DataError(f"{path}: expected x and values of outputs among {', '.join(members)}, got {got}")
    held = {name: np.asarray(arrays[name], dtype=np.float64) for name in ("x", *given)}
    x = held["x"]
    if x.ndim != 2 or x.shape[1] != box.dimension or not len(x):
        raise DataError(f"{path}: x: expected [n, {box.dimension}] with the box's columns, got {list(x.shape)}")
    for name in given:
        expected = (len(x), *members[name].shape[1:])
        if held[name].shape != expected:
            shape = list(held[name].shape)
            raise DataError(f"{path}: {name}: expected {list(expected)}, one row per row of x, got {shape}")
    for name, values in held.items():
        npz.check_finite(values, f"{path}: {name}", DataError)
    check_rows(x, box, f"{path}: x")
    return {members[name].name: HeldOut(path.name, x, held[name]) for name in given}
