"""Blocks of a matrix whose rows and columns count differently: scaled by powers of two, which is exactly undone."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgepde.hmatrix.clusters import ClusterTree
from edgepde.hmatrix.compressing import Compressor
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HBlock, HMatrix

Array = NDArray[np.float64]


def power_of_two(values: Array) -> Array:
    """The power of two nearest to each positive number, relative to the largest of them."""
    return np.asarray(np.exp2(np.round(np.log2(values / values.max()))))


@final
class InScales:
    """diag(s) A diag(r) as blocks at several tolerances, each then brought back to A's own scale."""

    def __init__(
        self, matrix: Array, trees: tuple[ClusterTree, ClusterTree], scales: tuple[Array, Array], dtype: str
    ) -> None:
        self.matrix, self.scales = matrix, scales
        scaled = scales[0][:, None] * matrix * scales[1]
        self.halved, self.whole = (Compressor(scaled, HConfig(), *trees, dtype=dtype, half=h) for h in (True, False))

    def at(self, eps: float) -> HMatrix:
        """The blocks of A that lose eps of the norm of diag(s) A diag(r), in halves where these stay halves."""
        made = self.halved.at(eps)
        if all((scale == 1.0).all() for scale in self.scales):
            return made
        back = _unscaled(made, self.matrix, self.scales)
        return back if all(map(_halves_stay, back.blocks)) else _unscaled(self.whole.at(eps), self.matrix, self.scales)


def rescaled(made: HMatrix, matrix: Array, scales: tuple[Array, Array]) -> HMatrix:
    """diag(s) H diag(r), s and r powers of two, with its errors against diag(s) A diag(r)."""
    scaled = scales[0][:, None] * matrix * scales[1]
    return _unscaled(made, scaled, (1.0 / scales[0], 1.0 / scales[1]))


def _unscaled(made: HMatrix, matrix: Array, scales: tuple[Array, Array]) -> HMatrix:
    ordered = matrix[np.ix_(made.row_order, made.column_order)]
    s, r = scales[0][made.row_order], scales[1][made.column_order]
    blocks = tuple(_block(block, ordered, s, r) for block in made.blocks)
    return replace(made, blocks=blocks, norm=float(np.linalg.norm(ordered)), _packed={})


def _halves_stay(block: HBlock) -> bool:
    """Whether what is held in halves still can be."""
    if not block.halves:
        return True
    held = [f[:, -block.halves :] for f in (block.left, block.right) if f is not None] or [block.dense()]
    with np.errstate(over="ignore"):
        return all(np.array_equal(values.astype(np.float16), values) for values in held)


def _block(block: HBlock, ordered: Array, s: Array, r: Array) -> HBlock:
    rows, columns = slice(*block.rows), slice(*block.columns)
    if block.left is not None and block.right is not None:
        done = replace(block, left=block.left / s[rows, None], right=block.right / r[columns, None])
    else:
        done = replace(block, values=block.dense() / s[rows, None] / r[columns])
    return replace(done, error=float(np.linalg.norm(ordered[rows, columns] - done.dense())))
