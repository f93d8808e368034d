"""In which order rows and columns of a layer come: by their points, else by the matrix itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgepde.hmatrix.clusters import ClusterTree, from_points
from edgepde.hmatrix.seriation import cosines, from_entries, spectral

Array = NDArray[np.float64]
Trees = tuple[ClusterTree, ClusterTree]


def trees(weight: Array, rows: Array | None, columns: Array | None, leaf: int) -> Trees:
    """The clusters of rows and columns of a matrix [m, n], from points [m, k] and [n, k] where there are any."""
    if rows is None and columns is None:
        return from_entries(weight, leaf)
    row_tree = spectral(np.abs(cosines(weight)), leaf) if rows is None else from_points(rows, leaf)
    if columns is None:
        return row_tree, spectral(np.abs(cosines(weight.T)), leaf)
    same = rows is not None and np.array_equal(rows, columns)
    return row_tree, row_tree if same else from_points(columns, leaf)
