"""Where the greedy loop looks for the worst parameter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from edgepde.problems.problem import Problem

Array = NDArray[np.float64]


def candidates(problem: Problem, seed: int = 0) -> Array:
    """Parameters [K, P] that fill the box on its own scales: a grid for one or two columns, Sobol points and corners
    beyond.
    """
    columns = problem.parameters.dimension
    if columns <= 2:
        axis = np.linspace(-1.0, 1.0, 65 if columns == 1 else 13)
        mesh = np.meshgrid(*[axis] * columns, indexing="ij")
        return problem.unscaled(np.stack([m.ravel() for m in mesh], axis=1))
    corners = np.stack([c.ravel() for c in np.meshgrid(*[[-1.0, 1.0]] * min(columns, 6), indexing="ij")], axis=1)
    further = [corners[:, i % 6] * corners[:, (i + 1) % 6] for i in range(6, columns)]  # 64 corners reach every side
    corners = np.column_stack([corners, *further])
    inside = 2.0 * qmc.Sobol(columns, seed=seed).random(256) - 1.0
    return problem.unscaled(np.concatenate([corners, inside]))


def nearest(problem: Problem, parameters: Array, to: Array) -> NDArray[np.int64]:
    """For each row of `to` [K, P] the nearest of parameters [N, P] on the problem's scales: [K]."""
    distance = np.linalg.norm(problem.scaled(to)[:, None] - problem.scaled(parameters)[None], axis=2)
    return np.asarray(distance.argmin(axis=1))
