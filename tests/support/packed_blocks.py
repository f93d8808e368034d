"""Matrices in packed blocks for tests: planted groups, and a hierarchical ladder of off-diagonal blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Packed:
    """Inputs of block_low_rank_apply but x, factors in float64."""

    name: str
    rows: int
    columns: int
    column_groups: Array
    right: Array
    row_groups: Array
    index: Array
    left: Array

    def arrays(self, factor_type: type = np.float64) -> list[Array]:
        """As the op reads them."""
        right, left = self.right.astype(factor_type), self.left.astype(factor_type)
        return [self.column_groups, right, self.row_groups, self.index, left]


def packed(
    name: str, rows: int, columns: int, column_groups: Any, row_groups: Any, *, seed: int = 0, twice: bool = False
) -> Packed:
    """Random factors and random entries for given groups."""
    rng = np.random.default_rng(seed)
    thin, wide = (np.asarray(groups, np.int64).reshape(-1, 3) for groups in (column_groups, row_groups))
    ranks, reads = int(thin[:, 2].sum()), int(wide[:, 2].sum())
    index = rng.integers(0, ranks + columns, reads)
    if twice and reads > 1:
        index[1] = index[0]
    right = rng.standard_normal(int((thin[:, 1] * thin[:, 2]).sum()))
    left = rng.standard_normal(int((wide[:, 1] * wide[:, 2]).sum()))
    return Packed(name, rows, columns, thin, right, wide, index.astype(np.int64), left)


def ladder(n: int = 41, leaf: int = 6, rank: int = 3, seed: int = 1) -> Packed:
    """HODLR: halves of halves of 0 .. n, off-diagonal blocks of some rank, diagonal leaves dense; fused by cluster."""
    rng = np.random.default_rng(seed)
    thin: list[list[int]] = []
    reads: dict[tuple[int, int], list[int]] = {}
    leaves: list[tuple[int, int]] = []

    def split(start: int, stop: int) -> None:
        if stop - start <= leaf:
            leaves.append((start, stop))
            return
        middle = (start + stop) // 2
        for rows, columns in (((start, middle), (middle, stop)), ((middle, stop), (start, middle))):
            first = sum(group[2] for group in thin)
            own = 1 + (first + rank) % (2 * rank)
            thin.append([columns[0], columns[1] - columns[0], own])
            reads.setdefault(rows, []).extend(range(first, first + own))
        split(start, middle)
        split(middle, stop)

    split(0, n)
    ranks = sum(group[2] for group in thin)
    for start, stop in leaves:
        reads.setdefault((start, stop), []).extend(range(ranks + start, ranks + stop))
    wide = [[start, stop - start, len(entries)] for (start, stop), entries in reads.items()]
    index = np.array([entry for entries in reads.values() for entry in entries], np.int64)
    right = rng.standard_normal(sum(size * own for _, size, own in thin))
    left = rng.standard_normal(sum(size * count for _, size, count in wide))
    return Packed(
        f"ladder{leaf}", n, n, np.array(thin, np.int64).reshape(-1, 3), right, np.array(wide, np.int64), index, left
    )


def low_rank_alone() -> Packed:
    """One block of rank 3 over everything."""
    return packed_with("low-rank", 9, 11, [[0, 11, 3]], [[0, 9, 3]], [0, 1, 2])


def dense_alone() -> Packed:
    """One dense block: no group of columns."""
    return packed_with("dense", 19, 7, np.zeros((0, 3)), [[0, 19, 7]], range(7))


def packed_with(
    name: str, rows: int, columns: int, column_groups: Any, row_groups: Any, index: Sequence[int]
) -> Packed:
    """Random factors for given groups and entries."""
    made = packed(name, rows, columns, column_groups, row_groups, seed=2)
    made.index[:] = index
    return made
