"""What fills missing sensors of an operator: the mean and the principal directions of its training inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from edgepde_runtime import npz
from edgepde_runtime.filling import Filled, Filling
from numpy.typing import ArrayLike

from edgepde.errors import RunError
from edgepde.train import atomic

__all__ = ["Filled", "Filling", "filling", "keep", "kept"]
FOLDER = Path("checkpoint") / "filling"
LARGEST = 1 << 26
TAIL = 1e-3
"""What the directions may leave out, relative to the root mean square of the inputs."""
SMALLEST = 1e-7


def filling(sensors: ArrayLike) -> Filling:
    """From training inputs [N, S]: the fewest directions that leave TAIL, at most half as many as there are sensors.

    InputError where the inputs are all the same.
    """
    inputs = np.asarray(sensors, np.float64)
    mean = inputs.mean(0)
    _, sizes, directions = np.linalg.svd((inputs - mean) / np.sqrt(max(len(inputs) - 1, 1)), full_matrices=False)
    left = np.sqrt(np.maximum((sizes**2).sum() - np.cumsum(sizes**2), 0.0))
    enough = int(np.argmax(left <= TAIL * np.linalg.norm(sizes))) + 1
    rank = max(1, min(enough, inputs.shape[1] // 2))
    scale = np.linalg.norm(sizes) / np.sqrt(inputs.shape[1])
    floor = max(float(left[rank - 1]) / np.sqrt(inputs.shape[1]), SMALLEST * float(scale))
    return Filling(mean, directions[:rank].T * sizes[:rank], floor or 1.0)


def keep(run: Path, name: str, made: Filling) -> None:
    """Write what fills an operator's sensors into a run. RunError where the system refuses."""
    atomic.make_folder(run / FOLDER)
    atomic.write_file(run / FOLDER / f"{name}.npz", npz.written(made.arrays()))


def kept(run: Path, name: str, sensors: int) -> Filling | None:
    """What a run holds for an operator of so many sensors, or None. RunError naming file and member."""
    path = run / FOLDER / f"{name}.npz"
    if not path.is_file():
        return None
    members = ("mean", "factor", "floor")
    arrays, _ = npz.read_file(path, LARGEST, RunError, dtypes=npz.FLOATS, members=members)
    made = Filling.from_arrays(arrays, str(path), RunError)
    if len(made.mean) != sensors:
        raise RunError(f"{path}: member mean: expected [{sensors}], one per sensor, got [{len(made.mean)}]")
    return made
