"""Relative L2 errors over the space-time domain against Cole-Hopf, and the viscosities they are taken at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgepde.problems.burgers import cole_hopf
from edgepde.s2gpt.grid import Axis, tensor_grid

Array = NDArray[np.float64]
Field = Callable[[Array, NDArray[np.float32]], NDArray[np.floating]]

ACROSS, ALONG = 200, 60
LAYER = 0.02
APART = 1e-6


@dataclass(frozen=True)
class Questions:
    """Viscosities nu [K, 1], points [M, 2] (float32), their quadrature weights [M], the exact field [K, M]."""

    nu: Array
    points: NDArray[np.float32]
    weights: Array
    exact: Array

    def errors(self, field: Field) -> Array:
        """||field - exact|| / ||exact|| in L2([-1, 1] x [0, 1]) per nu, [K]; field(nu [1, 1], points) -> [1, M]."""
        found = np.empty(len(self.nu))
        for k, exact in enumerate(self.exact):
            difference = field(self.nu[k : k + 1], self.points)[0] - exact
            found[k] = np.sqrt((self.weights * difference**2).sum() / (self.weights * exact**2).sum())
        return found


def grid(across: int = ACROSS, along: int = ALONG) -> tuple[NDArray[np.float32], Array]:
    """Midpoints of a tensor grid, `across` in x gathered at the shock, `along` in t: points [M, 2], weights [M]."""
    made = tensor_grid([Axis(-1.0, 1.0, 0.0, LAYER), Axis(0.0, 1.0)], [across, along])
    return made.points.astype(np.float32), made.weights


def viscosities(low: float, high: float, count: int, seed: int, snapshots: Array) -> Array:
    """`count` log-spaced and `count` log-uniform viscosities of [low, high], none a snapshot: [2 count, 1].

    The log-spaced ones are the middles of `count` equal cells.
    """
    spaced = (np.arange(count) + 0.5) / count
    drawn = np.random.default_rng(seed).random(count)
    nu = low * (high / low) ** np.concatenate([spaced, drawn])
    while (close := np.abs(np.log(nu[:, None] / snapshots.ravel()[None, :])).min(axis=1) < APART).any():
        nu = np.where(close, np.clip(nu * (1.0 + 3.0 * APART), low, high), nu)
    return nu[:, None]


def questions(nu: Array, across: int = ACROSS, along: int = ALONG) -> Questions:
    """Exact fields by Cole-Hopf at the float32 points themselves; the field is odd in x, so half is computed."""
    points, weights = grid(across, along)
    half = len(points) // 2
    right = cole_hopf(nu, points[half:].astype(np.float64))
    mirrored = right.reshape(len(nu), across // 2, along)[:, ::-1].reshape(len(nu), half)
    return Questions(nu, points, weights, np.concatenate([-mirrored, right], axis=1))
