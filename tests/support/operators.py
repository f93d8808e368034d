"""Linear operators of which blocks far from the diagonal are smooth, as tests of compressing use them."""

from __future__ import annotations

import numpy as np
import torch
from edgepde_runtime.box import Box
from numpy.typing import NDArray
from torch import nn

Array = NDArray[np.float64]


def points(n: int, seed: int = 0) -> Array:
    """n points of the unit square."""
    return np.random.default_rng(seed).random((n, 2))


def kernel(at: Array, stronger: float = 0.0) -> Array:
    """log |x - y| / n; stronger by a share near one corner."""
    apart = np.linalg.norm(at[:, None] - at[None], axis=2)
    made = np.log(apart + 1e-2) / len(at)
    near = np.linalg.norm(at - 0.8, axis=1) < 0.2
    made[np.ix_(near, near)] *= 1.0 + stronger
    return np.asarray(made)


def operator(matrix: Array, bias: Array | None = None) -> nn.Linear:
    """The layer of a matrix [m, n]."""
    made = nn.Linear(matrix.shape[1], matrix.shape[0])
    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(matrix))
        made.bias.copy_(torch.zeros(len(matrix)) if bias is None else torch.from_numpy(bias))
    return made


def cube(n: int, low: float = -1.0, high: float = 1.0) -> Box:
    """The same range for every input."""
    return Box([low] * n, [high] * n)
