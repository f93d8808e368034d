"""What fills missing sensors of an operator: the mean and the principal directions of its training inputs."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.filling import Filled, Filling
from numpy.typing import ArrayLike

__all__ = ["Filled", "Filling", "filling"]
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
