"""Empirical interpolation of the snapshots: a nested basis and its 2N - 1 points (arXiv 2506.15687, Algorithm 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgepde.errors import TrainingError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class EmpiricalBasis:
    """xi = v T with xi_n(x*_m) = 1 for m = n and 0 for m < n: transform T [N, N] upper triangular, indices x* [N].

    A snapshot's own coefficients are the columns of T^-1.
    """

    transform: Array
    indices: NDArray[np.int64]

    @property
    def snapshot_coefficients(self) -> Array:
        """Coefficients in xi of every snapshot: [N, N], row n belonging to snapshot n."""
        return np.asarray(np.linalg.inv(self.transform).T)


def empirical_basis(snapshots: Array, drop: float = 1e-9) -> EmpiricalBasis:
    """Empirical interpolation of snapshots [R, N], in their order.

    Step n subtracts the interpolant of v_n at x*_1..x*_(n-1), takes x*_n where the remainder is largest and scales it
    to 1 there. Raises TrainingError naming the snapshot whose remainder is below `drop` of its size.
    """
    rows, count = snapshots.shape
    basis = np.zeros((rows, 0))
    transform = np.zeros((count, count))
    indices: list[int] = []
    for n in range(count):
        v = snapshots[:, n]
        alpha = np.linalg.solve(basis[indices], v[indices]) if indices else np.zeros(0)
        remainder = v - basis @ alpha
        i = int(np.abs(remainder).argmax())
        if not np.abs(remainder[i]) > drop * np.abs(v).max():
            raise TrainingError(
                f"snapshot {n + 1} adds nothing to the {n} before it: expected a remainder above {drop:g}"
            )
        column = -transform[:, :n] @ alpha
        column[n] = 1.0
        transform[:, n] = column / remainder[i]
        basis = np.concatenate([basis, remainder[:, None] / remainder[i]], axis=1)
        indices.append(i)
    return EmpiricalBasis(transform, np.asarray(indices, dtype=np.int64))


def residual_points(residuals: Array) -> NDArray[np.int64]:
    """Points x** of residual vectors [R, n]: each where it is largest after interpolating it at the points before."""
    basis = np.zeros((len(residuals), 0))
    indices: list[int] = []
    for r in residuals.T:
        alpha = np.linalg.solve(basis[indices], r[indices]) if indices else np.zeros(0)
        remainder = r - basis @ alpha
        i = int(np.abs(remainder).argmax())
        if np.abs(remainder[i]) > 1e-9 * np.abs(r).max() and i not in indices:
            basis = np.concatenate([basis, remainder[:, None] / remainder[i]], axis=1)
            indices.append(i)
    return np.asarray(indices, dtype=np.int64)
