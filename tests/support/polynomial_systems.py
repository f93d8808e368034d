"""Polynomial systems with a root put there, in the layout of the op gauss_newton_solve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Table = Sequence[Sequence[int]]

# -1 stands for the factor 1
LINEAR: Table = [[0], [1]]
BURGERS: Table = [[0, -1], [1, 2], [3, -1]]  # u_t + u u_x + u_xx
CUBIC: Table = [[0, 0, 0], [1, 2, 2], [2, -1, -1]]


@dataclass
class Planted:
    """The op's inputs, and the root [B, N] they were built around."""

    inputs: list[Any]
    root: Array


def planted(
    seed: int,
    terms: Table,
    *,
    rows: int,
    unknowns: int,
    batch: int = 1,
    constraints: int = 0,
    noise: float = 0.0,
    distance: float = 0.05,
    spread: float = 0.0,
) -> Planted:
    """These terms and a source that leaves a residual of size `noise` at the root; constraints hold at the root.

    distance: of the start from the root, per unknown. spread: decades of the row weights to either side of 1.
    """
    rng = np.random.default_rng(seed)
    factors = 1 + max(f for row in terms for f in row)
    table = np.array([*terms, [-1] * len(terms[0])], dtype=np.int64)
    table[table < 0] = factors
    basis = rng.normal(size=(factors, rows, unknowns))
    root = rng.normal(size=(batch, unknowns))
    lift = rng.normal(size=(batch, factors, rows))
    values = np.concatenate([lift + np.einsum("frn,bn->bfr", basis, root), np.ones((batch, 1, rows))], axis=1)
    coefficients = rng.uniform(0.5, 1.5, size=(batch, len(terms), rows))
    source = noise * rng.normal(size=(batch, rows)) - (coefficients * values[:, table[:-1]].prod(axis=2)).sum(axis=1)
    weights = 10.0 ** (spread * rng.uniform(-1.0, 1.0, size=(batch, rows)))
    matrix = rng.normal(size=(constraints, unknowns))
    start = root + distance * rng.uniform(-1.0, 1.0, size=root.shape)
    coefficients = np.concatenate([coefficients, source[:, None]], axis=1)
    return Planted([lift, basis, coefficients, weights, start, table, matrix, root @ matrix.T], root)
