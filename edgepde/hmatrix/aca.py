"""Adaptive cross approximation with partial pivoting (Bebendorf, Numer. Math. 86, 2000)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
CALM = 2


def cross(block: Array, tolerance: float, most: int) -> tuple[Array, Array]:
    """A [p, q] about U V^T, U [p, k], V [q, k], k <= most: a row and a column of what is left, again and again.

    Ends where CALM crosses in turn have |u| |v| <= tolerance or no row is left; what is truly left is for the caller to
    compute.
    """
    p, q = block.shape
    most = min(most, p, q)
    U, V = np.zeros((p, most)), np.zeros((q, most))
    unused = np.ones(p, dtype=bool)
    k, calm, row = 0, 0, 0
    while k < most and calm < CALM and unused.any():
        unused[row] = False
        rest = block[row] - V[:, :k] @ U[row, :k]
        column = int(np.argmax(np.abs(rest)))
        if rest[column] == 0.0:
            row = int(np.argmax(unused))
            continue
        V[:, k] = rest / rest[column]
        U[:, k] = block[:, column] - U[:, :k] @ V[column, :k]
        size = float(np.linalg.norm(U[:, k]) * np.linalg.norm(V[:, k]))
        calm = calm + 1 if size <= tolerance else 0
        row = int(np.argmax(np.where(unused, np.abs(U[:, k]), -1.0)))
        k += 1
    return U[:, :k], V[:, :k]
