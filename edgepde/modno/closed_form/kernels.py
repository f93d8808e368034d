"""Gaussian functions of inputs, and which of many inputs should be their centres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SMALLEST = 1e-10
"""Squared distance, in the kernel's own norm, of a centre to the span of those before it, where choosing ends."""


def gaussian(x: Floats, centres: Floats, width: float) -> Floats:
    """exp(-|x - c|^2 / 2 width^2): [N, I] and [M, I] to [N, M]."""
    squares = (x * x).sum(1)[:, None] + (centres * centres).sum(1) - 2.0 * x @ centres.T
    return np.asarray(np.exp(-0.5 / width**2 * np.maximum(squares, 0.0)))


def size(x: Floats) -> float:
    """Root mean square distance from the mean."""
    return float(np.sqrt(x.var(axis=0).sum())) or 1.0


def distinct(x: Floats) -> Floats:
    """Rows [N, I] without those that came before, in their order."""
    step = 1e-9 * max(float(np.abs(x).max(initial=0.0)), 1e-300)
    _, first = np.unique(np.round(x / step), axis=0, return_index=True)
    return x[np.sort(first)]


def chosen(x: Floats, width: float, most: int) -> NDArray[np.int64]:
    """Which rows of x [N, I] are the best centres, one after the other: always the one that the others' functions are
    farthest from (pivoted Cholesky factorisation of the kernel matrix)."""
    left = np.ones(len(x))
    factor = np.zeros((len(x), min(most, len(x))))
    found: list[int] = []
    for j in range(factor.shape[1]):
        at = int(np.argmax(left))
        if left[at] < SMALLEST:
            break
        column = gaussian(x, x[at : at + 1], width)[:, 0] - factor[:, :j] @ factor[at, :j]
        factor[:, j] = column / np.sqrt(left[at])
        left = np.maximum(left - factor[:, j] ** 2, 0.0)
        left[at] = 0.0
        found.append(at)
    return np.array(found, np.int64)
