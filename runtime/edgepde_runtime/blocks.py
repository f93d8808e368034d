"""A matrix as dense and low-rank blocks, in the form that the op block_low_rank_apply reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

Whole = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


@final
@dataclass(frozen=True)
class Block:
    """Where a block lies and the rank it is held with; rank None: dense."""

    rows: tuple[int, int]
    columns: tuple[int, int]
    rank: int | None

    @property
    def numbers(self) -> int:
        """How many numbers the block holds."""
        m, n = self.rows[1] - self.rows[0], self.columns[1] - self.columns[0]
        return m * n if self.rank is None else self.rank * (m + n)


@final
@dataclass(frozen=True, eq=False)
class PackedBlocks:
    """y = A x, A [m, n], in two steps: t = concat_g R_g^T x[columns of g], then y[rows of h] += L_h^T s[index of h].

    s is concat(t, x). column_groups [G, 3]: start and size of the columns of g, and its rank r; right [R]: the R_g
    [size, r], row by row, one group after the other; t [T], T the sum of the ranks. row_groups [H, 3]: start and size
    of the rows of h, and how many entries of s it reads; index [I]: which, group after group; left [L]: the L_h
    [count, size], row by row. The groups of rows are added in their order. Raises InputError where sizes disagree or a
    number is not finite.
    """

    rows: int
    columns: int
    column_groups: Whole
    right: Floats
    row_groups: Whole
    index: Whole
    left: Floats

    def __post_init__(self) -> None:
        check_sizes(self.rows, self.columns, *self.arrays)
        for name in ("right", "left"):
            if not np.isfinite(getattr(self, name)).all():
                raise InputError(f"blocks: {name}: expected finite numbers")

    @property
    def arrays(self) -> tuple[Whole, Floats, Whole, Whole, Floats]:
        """Inputs of the op after x, in its order."""
        return self.column_groups, self.right, self.row_groups, self.index, self.left

    @property
    def numbers(self) -> int:
        """How many numbers the factors hold."""
        return self.right.size + self.left.size

    @property
    def ranks(self) -> int:
        """The number T of intermediate values t."""
        return int(self.column_groups[:, 2].sum())

    def right_factors(self) -> Iterator[tuple[int, int, Floats]]:
        """Per group of columns: where they start, where its t start, R_g [size, r]."""
        at = first = 0
        for start, size, rank in self.column_groups.tolist():
            yield start, first, self.right[at : at + size * rank].reshape(size, rank)
            at, first = at + size * rank, first + rank

    def left_factors(self) -> Iterator[tuple[int, Whole, Floats]]:
        """Per group of rows: where they start, what it reads of concat(t, x), L_h [count, size]."""
        at = read = 0
        for start, size, count in self.row_groups.tolist():
            yield start, self.index[read : read + count], self.left[at : at + size * count].reshape(count, size)
            at, read = at + size * count, read + count

    def blocks(self) -> tuple[Block, ...]:
        """The blocks, group of rows by group of rows.

        What a group of rows reads of the same t is one low-rank block, columns of x side by side are one dense block.
        """
        found: list[Block] = []
        ends = np.cumsum(self.column_groups[:, 2])
        for start, index, factor in self.left_factors():
            rows = (start, start + factor.shape[1])
            of, ranks = np.unique(np.searchsorted(ends, index[index < self.ranks], side="right"), return_counts=True)
            for (first, size, _), rank in zip(self.column_groups[of].tolist(), ranks.tolist(), strict=True):
                found.append(Block(rows, (first, first + size), rank))
            columns = np.sort(index[index >= self.ranks]) - self.ranks
            runs = np.split(columns, np.flatnonzero(np.diff(columns) != 1) + 1) if columns.size else []
            found += [Block(rows, (int(run[0]), int(run[-1]) + 1), None) for run in runs]
        return tuple(found)

    def thin(self) -> NDArray[np.float64]:
        """The matrix [T, n] of the first step, exactly."""
        made = np.zeros((self.ranks, self.columns))
        for start, first, factor in self.right_factors():
            made[first : first + factor.shape[1], start : start + factor.shape[0]] = factor.T
        return made

    def wide(self) -> NDArray[np.float64]:
        """The matrix [m, T + n] of the second step; exact where no entry is in two groups of rows."""
        made = np.zeros((self.rows, self.ranks + self.columns))
        for start, index, factor in self.left_factors():
            np.add.at(made[start : start + factor.shape[1]].T, index, factor)
        return made

    def dense(self) -> NDArray[np.float64]:
        """The matrix [m, n], computed in float64."""
        made, total = np.zeros((self.rows, self.columns)), self.ranks
        groups = [(start, first, r.astype(np.float64)) for start, first, r in self.right_factors() if r.size]
        firsts = np.array([first for _, first, _ in groups], dtype=np.int64)
        for start, index, stored in self.left_factors():
            factor, rows = stored.astype(np.float64), made[start : start + stored.shape[1]]
            direct = index >= total
            np.add.at(rows.T, index[direct] - total, factor[direct])
            inner, of = factor[~direct], index[~direct]
            which = np.searchsorted(firsts, of, side="right") - 1
            for g in np.unique(which):
                at, first, right = groups[g]
                rows[:, at : at + len(right)] += inner[which == g].T @ right[:, of[which == g] - first].T
        return made

    def absolute(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        """|L| concat(|R| v, v) [m] for v [n], absolute values of every factor."""
        parts = [np.abs(r.astype(np.float64)).T @ v[start : start + len(r)] for start, _, r in self.right_factors()]
        s = np.concatenate([*parts, v])
        made = np.zeros(self.rows)
        for start, index, factor in self.left_factors():
            made[start : start + factor.shape[1]] += s[index] @ np.abs(factor.astype(np.float64))
        return made

    @property
    def most_read(self) -> int:
        """How many entries of concat(t, x) one output reads, at most."""
        edges = np.zeros(self.rows + 1, dtype=np.int64)
        np.add.at(edges, self.row_groups[:, 0], self.row_groups[:, 2])
        np.add.at(edges, self.row_groups[:, 0] + self.row_groups[:, 1], -self.row_groups[:, 2])
        return int(np.cumsum(edges).max(initial=0))


def check_sizes(rows: int, columns: int, *arrays: NDArray[Any]) -> None:
    """Raise InputError where groups leave the matrix, read what is not there, or do not fit their numbers."""
    column_groups, right, row_groups, index, left = arrays
    for name, groups, most in (("column_groups", column_groups, columns), ("row_groups", row_groups, rows)):
        if groups.ndim != 2 or groups.shape[1] != 3:
            raise InputError(f"blocks: {name}: expected [count, 3], got {list(groups.shape)}")
        if groups.size and (
            groups.min() < 0 or groups[:, :2].max() > most or (groups[:, 0] + groups[:, 1]).max() > most
        ):
            raise InputError(f"blocks: {name}: expected groups within 0 .. {most}")
    if ((column_groups[:, 1] == 0) & (column_groups[:, 2] > 0)).any():
        raise InputError("blocks: column_groups: expected no rank for a group of no columns")
    ranks = sum(column_groups[:, 2].tolist())
    wanted = (
        ("right", right.size, sum(size * rank for _, size, rank in column_groups.tolist())),
        ("index", index.size, sum(count for _, _, count in row_groups.tolist())),
        ("left", left.size, sum(size * count for _, size, count in row_groups.tolist())),
    )
    for name, got, expected in wanted:
        if got != expected:
            raise InputError(f"blocks: {name}: expected {expected} numbers as the groups say, got {got}")
    if index.size and not 0 <= int(index.min()) <= int(index.max()) < ranks + columns:
        raise InputError(f"blocks: index: expected 0 .. {ranks + columns - 1}")
