"""Blocks of a hierarchical matrix into the form of the op block_low_rank_apply, and back, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from edgepde_runtime.blocks import PackedBlocks
from numpy.typing import NDArray

from .clusters import Range
from .hmatrix import HBlock

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Piece:
    """What one part holds of a block: values [p, q], or factors left [p, k] and right [q, k]."""

    rows: Range
    columns: Range
    values: NDArray[Any] | None = None
    left: NDArray[Any] | None = None
    right: NDArray[Any] | None = None


def packed(shape: tuple[int, int], blocks: Sequence[HBlock], dtype: str, half: bool) -> tuple[PackedBlocks, ...]:
    """One part of dtype; with half a second one of float16, either left out where it would be empty."""
    if not half:
        return (fused(shape, [_piece(b, 0, b.rank or 0) for b in blocks if b.rank != 0], np.dtype(dtype)),)
    whole = [_piece(b, 0, (b.rank or 0) - b.halves) for b in blocks if _has(b, whole=True)]
    halves = [_piece(b, (b.rank or 0) - b.halves, b.rank or 0) for b in blocks if _has(b, whole=False)]
    pairs = ((whole, np.dtype(dtype)), (halves, np.dtype(np.float16)))
    made = tuple(fused(shape, pieces, kind) for pieces, kind in pairs if pieces)
    return made or (fused(shape, [], np.dtype(dtype)),)


def fused(shape: tuple[int, int], pieces: Sequence[Piece], dtype: np.dtype[Any]) -> PackedBlocks:
    """Pieces that share columns have their right factors side by side; pieces that share rows are one matrix."""
    column_groups, right, first = _rights(pieces, dtype)
    total = sum(rank for _, _, rank in column_groups)
    landing: dict[Range, list[int]] = {}
    for place, piece in enumerate(pieces):
        landing.setdefault(piece.rows, []).append(place)
    row_groups, index, left = [], [np.zeros(0, np.int64)], [np.zeros(0, dtype)]
    for rows in sorted(landing, key=lambda r: (r[0] - r[1], r[0])):
        read, stacked = [], []
        for place in landing[rows]:
            piece = pieces[place]
            if piece.left is not None:
                read.append(first[place] + np.arange(piece.left.shape[1]))
                stacked.append(piece.left.T)
            elif piece.values is not None:
                read.append(total + np.arange(*piece.columns))
                stacked.append(piece.values.T)
        index.append(np.concatenate(read))
        left.append(np.concatenate(stacked).astype(dtype).ravel())
        row_groups.append((rows[0], rows[1] - rows[0], index[-1].size))
    return PackedBlocks(
        *shape, _groups(column_groups), right, _groups(row_groups), np.concatenate(index), np.concatenate(left)
    )


def _rights(
    pieces: Sequence[Piece], dtype: np.dtype[Any]
) -> tuple[list[tuple[int, int, int]], NDArray[Any], dict[int, int]]:
    """(column_groups, right, where the t of each piece start)."""
    sharing: dict[Range, list[int]] = {}
    for place, piece in enumerate(pieces):
        if piece.right is not None:
            sharing.setdefault(piece.columns, []).append(place)
    groups, right, first, at = [], [np.zeros(0, dtype)], {}, 0
    for columns in sorted(sharing, key=lambda c: (c[0] - c[1], c[0])):
        factors = []
        for place in sharing[columns]:
            factor = pieces[place].right
            assert factor is not None
            first[place] = at
            at += factor.shape[1]
            factors.append(factor)
        stacked = np.concatenate(factors, axis=1)
        right.append(stacked.astype(dtype).ravel())
        groups.append((columns[0], columns[1] - columns[0], stacked.shape[1]))
    return groups, np.concatenate(right), first


def _has(block: HBlock, whole: bool) -> bool:
    """Whether the block holds something that is (not) a half."""
    if block.rank is None:
        return (block.halves == 0) == whole
    return (block.rank > block.halves) if whole else block.halves > 0


def _piece(block: HBlock, begin: int, end: int) -> Piece:
    if block.left is None or block.right is None:
        return Piece(block.rows, block.columns, values=block.values)
    return Piece(block.rows, block.columns, None, block.left[:, begin:end], block.right[:, begin:end])


def _groups(rows: Sequence[tuple[int, int, int]]) -> NDArray[np.int64]:
    return np.array(rows, dtype=np.int64).reshape(len(rows), 3)
