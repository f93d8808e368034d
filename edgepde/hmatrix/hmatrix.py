"""A matrix as dense and low-rank blocks in cluster order, each with its true error."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from edgepde_runtime.blocks import Block, PackedBlocks
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from .clusters import Range
from .config import HConfig

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@final
@dataclass(frozen=True, eq=False)
class HBlock:
    """Rows and columns of cluster order, held as values [p, q] or as left [p, k] right [q, k]^T.

    The numbers are float64 and exactly those stored: columns k - halves .. k - 1 of both factors (or values, where
    halves is not 0) are numbers of float16, all others of the matrix's dtype. error: Frobenius norm of what is lost.
    """

    rows: Range
    columns: Range
    values: Array | None
    left: Array | None
    right: Array | None
    error: float
    halves: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """(p, q)."""
        return self.rows[1] - self.rows[0], self.columns[1] - self.columns[0]

    @property
    def rank(self) -> int | None:
        """The rank k it is held with; None: dense."""
        return None if self.left is None else self.left.shape[1]

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        p, q = self.shape
        return p * q if self.rank is None else self.rank * (p + q)

    def nbytes(self, itemsize: int) -> int:
        """Stored bytes, itemsize per number that is not a half."""
        p, q = self.shape
        half = (p * q if self.halves else 0) if self.rank is None else self.halves * (p + q)
        return itemsize * (self.numbers - half) + 2 * half

    def dense(self) -> Array:
        """The block [p, q] in float64."""
        if self.values is not None:
            return self.values
        assert self.left is not None
        assert self.right is not None
        return np.asarray(self.left @ self.right.T)


@final
@dataclass(frozen=True, eq=False)
class HMatrix:
    """A [m, n] with A[row_order[i], column_order[j]] in the blocks, which tile cluster order without overlap.

    dtype: "float32" or "float64", of the numbers stored. tolerance: most that was allowed, in Frobenius norm; norm: of
    the matrix that was compressed. note: why the matrix stayed dense, where it did.
    """

    row_order: Whole
    column_order: Whole
    blocks: tuple[HBlock, ...]
    config: HConfig
    norm: float
    tolerance: float
    dtype: str = "float32"
    note: str = ""
    _packed: dict[bool, tuple[PackedBlocks, ...]] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n)."""
        return self.row_order.size, self.column_order.size

    @property
    def numbers(self) -> int:
        """How many numbers the blocks hold."""
        return sum(block.numbers for block in self.blocks)

    @property
    def nbytes(self) -> int:
        """Stored bytes of the blocks' numbers, halves counted as halves."""
        itemsize = np.dtype(self.dtype).itemsize
        return sum(block.nbytes(itemsize) for block in self.blocks)

    @property
    def storage_ratio(self) -> float:
        """Numbers held, of those of the dense matrix."""
        return self.numbers / math.prod(self.shape)

    @property
    def bytes_ratio(self) -> float:
        """Bytes held, of those of the dense matrix in dtype."""
        return self.nbytes / (math.prod(self.shape) * np.dtype(self.dtype).itemsize)

    @property
    def error(self) -> float:
        """Frobenius norm of the difference to the matrix that was compressed: blocks do not overlap, squares add."""
        return math.hypot(*(block.error for block in self.blocks))

    @property
    def is_dense(self) -> bool:
        """Whether no block is of low rank."""
        return all(block.rank is None for block in self.blocks)

    def rank_histogram(self) -> dict[int | None, int]:
        """How many blocks there are of each rank; None: dense."""
        counted = Counter(block.rank for block in self.blocks)
        return {rank: counted[rank] for rank in sorted(counted, key=lambda r: (r is None, r or 0))}

    def in_cluster_order(self) -> Array:
        """The matrix [m, n] with rows and columns in cluster order, float64."""
        made = np.zeros(self.shape)
        for block in self.blocks:
            made[slice(*block.rows), slice(*block.columns)] = block.dense()
        return made

    def dense(self) -> Array:
        """The matrix [m, n] in its own order, float64."""
        made = np.empty(self.shape)
        made[np.ix_(self.row_order, self.column_order)] = self.in_cluster_order()
        return made

    def __matmul__(self, x: Any) -> Array:
        """A x for x [n] or [n, B], in float64."""
        if np.iscomplexobj(x):
            raise InputError("hmatrix: x: expected real numbers, got complex ones")
        given = np.asarray(x, dtype=np.float64)
        if given.ndim not in {1, 2} or given.shape[0] != self.shape[1]:
            raise InputError(f"hmatrix: x: expected [{self.shape[1]}] or [{self.shape[1]}, B], got {list(given.shape)}")
        ordered = given[self.column_order]
        summed = np.zeros((self.shape[0], *given.shape[1:]))
        for block in self.blocks:
            part = ordered[slice(*block.columns)]
            if block.left is None or block.right is None:
                summed[slice(*block.rows)] += block.dense() @ part
            else:
                summed[slice(*block.rows)] += block.left @ (block.right.T @ part)
        made = np.empty_like(summed)
        made[self.row_order] = summed
        return made

    def packed(self, half: bool = False) -> tuple[PackedBlocks, ...]:
        """The blocks as the op reads them, in cluster order, stored as dtype.

        half: what is marked as a half comes as a second part stored as float16 (left out where there is none).
        """
        from .packing import packed

        if half not in self._packed:
            self._packed[half] = packed(self.shape, self.blocks, self.dtype, half)
        return self._packed[half]


def check_tiling(shape: tuple[int, int], blocks: Sequence[HBlock | Block]) -> None:
    """Raise InputError where blocks overlap, leave the matrix or leave a hole."""
    covered = np.zeros(shape, dtype=np.int8)
    for block in blocks:
        (a, b), (c, d) = block.rows, block.columns
        if not (0 <= a < b <= shape[0] and 0 <= c < d <= shape[1]):
            raise InputError(f"hmatrix: block {block.rows} x {block.columns}: expected within {list(shape)}")
        covered[a:b, c:d] = np.minimum(covered[a:b, c:d], 1) + 1  # two are as wrong as 257, which wraps
    if (covered != 1).any():
        i, j = np.argwhere(covered != 1)[0].tolist()
        raise InputError(f"hmatrix: blocks: expected every entry once, entry ({i}, {j}) is in {int(covered[i, j])}")
