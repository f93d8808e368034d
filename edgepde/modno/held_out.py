"""Held-out cases that a run keeps, of operators that cannot be drawn anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgepde.errors import RunError
from edgepde.problems.operator_data import OperatorData, load
from edgepde.train import atomic

FOLDER = Path("checkpoint") / "held_out"
LARGEST = 1 << 26
"""Bytes of a field that are kept; the first cases where there are more."""


def keep(run: Path, data: OperatorData) -> None:
    """Write cases that nothing was trained or chosen on. RunError where the system refuses."""
    each = max(1, np.asarray(data.field).nbytes // len(data))
    folder = run / FOLDER
    atomic.make_folder(folder)
    data.take(slice(0, max(1, LARGEST // each))).save(folder / f"{data.name}.npz")


def kept(run: Path, name: str) -> OperatorData | None:
    """The cases of an operator, None where the run has none. DataError naming the member that is wrong."""
    path = run / FOLDER / f"{name}.npz"
    if not path.is_file():
        return None
    if path.stat().st_size > 4 * LARGEST:
        raise RunError(f"{path}: expected at most {4 * LARGEST} bytes, got {path.stat().st_size}")
    return load(path)
