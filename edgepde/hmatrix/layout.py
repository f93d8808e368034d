"""Where the numbers of every block lie in the flat factors that the op block_low_rank_apply reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from edgepde_runtime.blocks import Block
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from torch import Tensor

from .clusters import Range
from .hmatrix import check_tiling

Whole = NDArray[np.int64]
DENSE = -1


@final
@dataclass(frozen=True)
class Spot:
    """A rectangle in a flat factor: `count` columns from `first` on of the matrix [rows, width] that starts at `at`."""

    at: int
    rows: int
    width: int
    first: int
    count: int

    def view(self, flat: Tensor) -> Tensor:
        """The rectangle [rows, count] of flat, sharing its memory."""
        return flat[self.at : self.at + self.rows * self.width].view(self.rows, self.width)[
            :, self.first : self.first + self.count
        ]


@final
@dataclass(frozen=True)
class Layout:
    """Blocks that tile [rows, columns]; the arrays of PackedBlocks they lead to; the spots of every block.

    Blocks that share columns have their right factors side by side, blocks that share rows are one matrix; large groups
    first. Raises InputError where the blocks overlap, leave the matrix or a hole, or a rank is not one.
    """

    rows: int
    columns: int
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        check_tiling((self.rows, self.columns), self.blocks)
        for block in self.blocks:
            sizes = block.rows[1] - block.rows[0], block.columns[1] - block.columns[0]
            if block.rank is not None and not 0 <= block.rank <= min(sizes):
                raise InputError(f"hlinear: block {block.rows} x {block.columns}: rank {block.rank} of {sizes}")

    @cached_property
    def numbers(self) -> int:
        """How many numbers the blocks hold."""
        return sum(block.numbers for block in self.blocks)

    @cached_property
    def ranks(self) -> int:
        """The number T of intermediate values."""
        return sum(block.rank or 0 for block in self.blocks)

    @cached_property
    def column_groups(self) -> Whole:
        """[G, 3]: start, size, rank."""
        made = [(c[0], c[1] - c[0], sum(self.blocks[i].rank or 0 for i in of)) for c, of in self._by_columns]
        return np.array(made, dtype=np.int64).reshape(-1, 3)

    @cached_property
    def row_groups(self) -> Whole:
        """[H, 3]: start, size, how many entries are read."""
        made = [(r[0], r[1] - r[0], sum(_read(self.blocks[i]) for i in of)) for r, of in self._by_rows]
        return np.array(made, dtype=np.int64).reshape(-1, 3)

    @cached_property
    def index(self) -> Whole:
        """[I]: what of concat(t, x) the groups of rows read."""
        first, parts = {}, [np.zeros(0, dtype=np.int64)]
        at = 0
        for _, of in self._by_columns:
            for i in of:
                first[i] = at
                at += self.blocks[i].rank or 0
        for _, of in self._by_rows:
            for i in of:
                block = self.blocks[i]
                parts.append(first[i] + np.arange(block.rank) if block.rank else self.ranks + np.arange(*block.columns))
        return np.concatenate(parts).astype(np.int64)

    @cached_property
    def thin_at(self) -> Whole:
        """[R]: where the numbers of right lie in the matrix [T, n] of the first step, row by row."""
        parts, first = [np.zeros(0, dtype=np.int64)], 0
        for start, size, rank in self.column_groups.tolist():
            spots = (first + np.arange(rank)) * self.columns + start + np.arange(size)[:, None]
            parts.append(spots.ravel())
            first += rank
        return np.concatenate(parts)

    @cached_property
    def wide_at(self) -> Whole:
        """[L]: where the numbers of left lie in the matrix [m, T + n] of the second step, row by row."""
        parts, read, width = [np.zeros(0, dtype=np.int64)], 0, self.ranks + self.columns
        for start, size, count in self.row_groups.tolist():
            spots = (start + np.arange(size)) * width + self.index[read : read + count, None]
            parts.append(spots.ravel())
            read += count
        return np.concatenate(parts)

    @cached_property
    def right_spots(self) -> dict[int, Spot]:
        """Per low-rank block its right factor [q, k] in the flat right."""
        made, at = {}, 0
        for (_, of), (_, size, width) in zip(self._by_columns, self.column_groups.tolist(), strict=True):
            first = 0
            for i in of:
                rank = self.blocks[i].rank or 0
                made[i] = Spot(at, size, width, first, rank)
                first += rank
            at += size * width
        return made

    @cached_property
    def left_spots(self) -> dict[int, Spot]:
        """Per block of rank k the transposed left factor [k, p], or of a dense block its transpose [q, p]."""
        made, at = {}, 0
        for (rows, of), _ in zip(self._by_rows, self.row_groups.tolist(), strict=True):
            size = rows[1] - rows[0]
            for i in of:
                read = _read(self.blocks[i])
                made[i] = Spot(at, read, size, 0, size)
                at += read * size
        return made

    @cached_property
    def _by_columns(self) -> list[tuple[Range, list[int]]]:
        low = [i for i, block in enumerate(self.blocks) if block.rank]
        return _grouped([(self.blocks[i].columns, i) for i in low])

    @cached_property
    def _by_rows(self) -> list[tuple[Range, list[int]]]:
        return _grouped([(b.rows, i) for i, b in enumerate(self.blocks) if b.rank != 0])

    @cached_property
    def table(self) -> Whole:
        """[B, 5]: rows from, to, columns from, to, rank; rank -1: dense."""
        made = [(*b.rows, *b.columns, DENSE if b.rank is None else b.rank) for b in self.blocks]
        return np.array(made, dtype=np.int64).reshape(-1, 5)

    @classmethod
    def of_table(cls, rows: int, columns: int, table: Whole) -> Layout:
        """The layout of a table as a file holds it; raises InputError where it is not one."""
        if table.ndim != 2 or table.shape[1] != 5 or table.dtype != np.int64:
            raise InputError(f"hlinear blocks: expected int64 [B, 5], got {table.dtype} {list(table.shape)}")
        if len(table) > rows * columns:
            raise InputError(f"hlinear blocks: {len(table)} blocks cannot tile {[rows, columns]}")
        return cls(rows, columns, tuple(_block(*row) for row in table.tolist()))


def _block(a: int, b: int, c: int, d: int, rank: int) -> Block:
    return Block((a, b), (c, d), None if rank == DENSE else rank)


def _read(block: Block) -> int:
    return block.columns[1] - block.columns[0] if block.rank is None else block.rank


def _grouped(pairs: Sequence[tuple[Range, int]]) -> list[tuple[Range, list[int]]]:
    made: dict[Range, list[int]] = {}
    for span, place in pairs:
        made.setdefault(span, []).append(place)
    return sorted(made.items(), key=lambda item: (item[0][0] - item[0][1], item[0][0]))
