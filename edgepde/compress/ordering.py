"""In which order rows and columns of a layer come: by their points, by activations, or by the matrix itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgepde.hmatrix.clusters import ClusterTree, from_points, in_order

Array = NDArray[np.float64]
AXES = 3


def tree(weight: Array, points: Array | None, axis: int, leaf: int) -> ClusterTree:
    """The clusters of rows (axis 0) or columns (axis 1) of a matrix: from points [n, k] where there are any."""
    if points is not None:
        return from_points(points, leaf)
    return in_order(weight.shape[axis], leaf)


def activation_tree(values: Array, leaf: int) -> ClusterTree:
    """Clusters of units that are alike at points, values [N, n]: halves along their principal components."""
    centred = values - values.mean(axis=0)
    _, singular, Vt = np.linalg.svd(centred[: 2 * len(values[0])], full_matrices=False)
    return from_points((Vt[:AXES].T * singular[:AXES]), leaf)
