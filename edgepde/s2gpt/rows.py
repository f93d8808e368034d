"""Sparse collocation rows: the 2N - 1 interpolation points, completed by pivoted tangents, weighted by leverage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Tangents:
    """Orthonormal basis U [R, r] of what quadrature-weighted Jacobian columns span over the snapshots' parameters."""

    basis: Array

    @classmethod
    def of(cls, jacobians: Array) -> Tangents:
        """Jacobians [S, R, N] already carry sqrt of the quadrature weight; each parameter counts alike."""
        size = np.linalg.norm(jacobians, axis=(1, 2), keepdims=True)
        stacked = (jacobians / np.where(size > 0, size, 1.0)).transpose(1, 0, 2).reshape(jacobians.shape[1], -1)
        u, s, _ = np.linalg.svd(stacked, full_matrices=False)
        return cls(u[:, s > 1e-12 * s[0]])


def choose_rows(tangents: Tangents, first: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """`first` rows, then the rows that pivoted QR of the remaining tangent space picks, to `count` in all."""
    chosen = list(dict.fromkeys(int(i) for i in first))
    if len(chosen) >= count:
        return np.asarray(chosen[:count], dtype=np.int64)
    u = tangents.basis[:, : max(count, 1)]
    q, _ = np.linalg.qr(u[chosen].T)
    rest = u - (u @ q) @ q.T
    rest[chosen] = 0.0
    _, _, pivots = scipy.linalg.qr(rest.T, pivoting=True, mode="economic")
    extra = [int(i) for i in pivots if int(i) not in set(chosen)]
    return np.asarray(chosen + extra[: count - len(chosen)], dtype=np.int64)


def leverage_weights(tangents: Tangents, rows: NDArray[np.int64], quadrature: Array) -> Array:
    """w_i = sqrt(q_i / l_i), l_i = |U_i|^2 over the leading columns: a row that alone carries much counts for less.
    [len(rows)].
    """
    u = tangents.basis[:, : max(len(rows), 1)]
    leverage = (u[rows] ** 2).sum(axis=1)
    floor = 1e-3 * leverage.max()
    weights = np.sqrt(quadrature[rows] / np.maximum(leverage, floor))
    return np.asarray(weights / np.sqrt((weights**2).mean()))
