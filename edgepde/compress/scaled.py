"""Blocks of a matrix whose rows and columns count differently: scaled by powers of two, which is exactly undone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgepde.hmatrix.clusters import ClusterTree
from edgepde.hmatrix.compressing import compress
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HBlock, HMatrix

Array = NDArray[np.float64]


def power_of_two(values: Array) -> Array:
    """The power of two nearest to each positive number, relative to the largest of them."""
    return np.asarray(np.exp2(np.round(np.log2(values / values.max()))))


def compressed(
    matrix: Array, config: HConfig, trees: tuple[ClusterTree, ClusterTree], scales: tuple[Array, Array], dtype: str
) -> HMatrix:
    """diag(s) A diag(r) as blocks, then A: the same blocks in their own scale."""
    rows, columns = scales
    made = compress(rows[:, None] * matrix * columns, config, *trees, dtype=dtype)
    if (rows == 1.0).all() and (columns == 1.0).all():
        return made
    ordered = matrix[np.ix_(made.row_order, made.column_order)]
    s, r = rows[made.row_order], columns[made.column_order]
    norm = float(np.linalg.norm(ordered))
    return replace(made, blocks=tuple(_unscaled(block, ordered, s, r) for block in made.blocks), norm=norm, _packed={})


def _unscaled(block: HBlock, ordered: Array, s: Array, r: Array) -> HBlock:
    rows, columns = slice(*block.rows), slice(*block.columns)
    if block.left is not None and block.right is not None:
        done = replace(block, left=block.left / s[rows, None], right=block.right / r[columns, None])
    else:
        done = replace(block, values=block.dense() / s[rows, None] / r[columns])
    return replace(done, error=float(np.linalg.norm(ordered[rows, columns] - done.dense())))
