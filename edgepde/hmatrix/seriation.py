"""Cluster trees where no geometry is known: recursive spectral bisection of how alike rows, columns or units are."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from .clusters import DEFAULT_LEAF, ClusterTree, bisected

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
SMALL, STEPS, SYMMETRIC = 64, 40, 1e-6


def from_entries(matrix: Any, leaf: int = DEFAULT_LEAF) -> tuple[ClusterTree, ClusterTree]:
    """Trees of rows and columns from the entries [m, n] alone; one tree for both where the matrix is symmetric.

    Indices are alike by |cosine| of their rows (columns), of a symmetric matrix by |A_ij|. Raises InputError where an
    entry is not finite.
    """
    given = np.asarray(matrix, dtype=np.float64)
    if given.ndim != 2 or given.size == 0 or not np.isfinite(given).all():
        raise InputError(f"hmatrix matrix: expected finite numbers [m, n], got {list(given.shape)}")
    largest = float(np.abs(given).max())
    given = given / largest if largest > 0.0 else given
    if given.shape[0] == given.shape[1] and np.linalg.norm(given - given.T) <= SYMMETRIC * np.linalg.norm(given):
        tree = spectral(np.abs(given), leaf)
        return tree, tree
    return spectral(np.abs(cosines(given)), leaf), spectral(np.abs(cosines(given.T)), leaf)


def from_activations(activations: Any, leaf: int = DEFAULT_LEAF) -> ClusterTree:
    """A tree of hidden units from their activations [samples, n], alike by |correlation|; raises InputError."""
    given = np.asarray(activations, dtype=np.float64)
    if given.ndim != 2 or given.size == 0 or not np.isfinite(given).all():
        raise InputError(f"hmatrix activations: expected finite numbers [samples, n], got {list(given.shape)}")
    return spectral(np.abs(cosines((given - given.mean(axis=0)).T)), leaf)


def cosines(vectors: Array) -> Array:
    """Cosine of the angle between all pairs of rows [m, n] -> [m, m]; 0 for rows that are zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0.0, lengths, 1.0)
    return np.asarray(unit @ unit.T)


def spectral(alike: Array, leaf: int = DEFAULT_LEAF) -> ClusterTree:
    """Sort every cluster by the second eigenvector of D^(-1/2) S D^(-1/2), divide it in the middle; S [n, n] >= 0."""

    def sort(indices: Whole) -> Whole:
        return indices[np.argsort(fiedler(alike[np.ix_(indices, indices)]), kind="stable")]

    return bisected(alike.shape[0], leaf, sort)


def fiedler(alike: Array) -> Array:
    """The second eigenvector of the normalised similarity, divided by sqrt(degree) [n]."""
    n = alike.shape[0]
    degree = alike.sum(axis=1)
    root = 1.0 / np.sqrt(np.where(degree > 0.0, degree, 1.0))
    if n <= SMALL:
        _, vectors = scipy.linalg.eigh(root[:, None] * alike * root, subset_by_index=[max(n - 2, 0), n - 1])
        return np.asarray(vectors[:, 0] * root)
    first = np.sqrt(degree)
    first /= max(float(np.linalg.norm(first)), 1e-300)

    def apply(x: Array) -> Array:
        flat = x.ravel()
        return np.asarray(root * (alike @ (root * flat)) - first * (first @ flat))

    operator = scipy.sparse.linalg.LinearOperator((n, n), matvec=apply, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(n)
    try:
        _, vectors = scipy.sparse.linalg.eigsh(operator, k=1, which="LA", v0=start, tol=1e-3, maxiter=STEPS)
        vector = vectors[:, 0]
    except scipy.sparse.linalg.ArpackError as error:
        found = getattr(error, "eigenvectors", np.zeros((n, 0)))
        vector = found[:, 0] if found.size else np.zeros(n)
    return np.asarray(vector * root)
