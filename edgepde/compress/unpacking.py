"""Blocks of a network back into a hierarchical matrix, number for number, so that it can be updated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from edgepde_runtime.blocks import PackedBlocks
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from edgepde.certify.network import Blocks
from edgepde.compress.blocked import Placed
from edgepde.hmatrix.clusters import Cluster, Range, in_order
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HBlock, HMatrix

Array = NDArray[np.float64]
LONG = 2


@dataclass(frozen=True, eq=False)
class _Piece:
    rows: Range
    columns: Range
    left: Array
    right: Array | None


def unpacked(node: Blocks, placed: Placed, weight: Array, dtype: str, where: str) -> HMatrix:
    """The hierarchical matrix that a node holds, its blocks' errors those against the original weight [m, n].

    Raises InputError where the blocks do not lie in the clusters of their orders.
    """
    m, n = weight.shape
    ordered = weight[np.ix_(placed.rows, placed.columns)]
    parts = [list(_pieces(part)) for part in node.parts]
    roots = in_order(m, placed.leaf).root, in_order(n, placed.leaf).root
    blocks = [_measured(block, ordered) for block in _tiled(*roots, _Held(parts, [p.right.dtype for p in node.parts]))]
    if sum(block.numbers for block in blocks) != sum(part.numbers for part in node.parts):
        raise InputError(f"{where}: its blocks are not those of clusters of at most {placed.leaf}; compress anew")
    norm = float(np.linalg.norm(weight))
    error = float(np.sqrt(sum(block.error**2 for block in blocks)))
    config = HConfig(leaf=placed.leaf, eps=min(error / max(norm, 1e-300), 0.999))
    return HMatrix(placed.rows, placed.columns, tuple(blocks), config, norm, error, dtype)


class _Held:
    """Pieces of all parts by their place; a second part, or one of float16, is halves."""

    def __init__(self, parts: Sequence[Sequence[_Piece]], dtypes: Sequence[np.dtype[np.floating]]) -> None:
        self.low: dict[tuple[Range, Range], list[tuple[_Piece, bool]]] = {}
        self.dense: dict[Range, list[tuple[_Piece, bool]]] = {}
        for pieces, dtype in zip(parts, dtypes, strict=True):
            halves = dtype == np.float16
            for piece in pieces:
                if piece.right is None:
                    self.dense.setdefault(piece.rows, []).append((piece, halves))
                else:
                    self.low.setdefault((piece.rows, piece.columns), []).append((piece, halves))

    def at(self, rows: Range, columns: Range) -> HBlock | None:
        """The block at a place, if there is one."""
        found = sorted(self.low.get((rows, columns), []), key=lambda pair: pair[1])
        if found:
            left = np.hstack([piece.left for piece, _ in found])
            right = np.hstack([piece.right for piece, _ in found if piece.right is not None])
            halves = sum(piece.left.shape[1] for piece, half in found if half)
            return HBlock(rows, columns, None, left, right, 0.0, halves)
        for piece, half in self.dense.get(rows, []):
            start, stop = piece.columns
            if start <= columns[0] and columns[1] <= stop:
                values = piece.left[:, columns[0] - start : columns[1] - start]
                return HBlock(rows, columns, values, None, None, 0.0, int(half))
        return None


def _pieces(part: PackedBlocks) -> Iterator[_Piece]:
    groups = list(part.right_factors())
    firsts = np.array([first for _, first, _ in groups] or [0])
    for start, index, factor in part.left_factors():
        rows = (start, start + factor.shape[1])
        group = np.where(index < part.ranks, np.searchsorted(firsts, index, side="right"), 0)
        ends = np.flatnonzero((np.diff(index) != 1) | (np.diff(group) != 0)) + 1
        for run in np.split(np.arange(len(index)), ends):
            if not run.size:
                continue
            left = factor[run].T.astype(np.float64)
            if index[run[0]] >= part.ranks:
                first = int(index[run[0]]) - part.ranks
                yield _Piece(rows, (first, first + run.size), left, None)
            else:
                at, begin, right = groups[int(group[run[0]]) - 1]
                low = int(index[run[0]]) - begin
                columns = (at, at + right.shape[0])
                yield _Piece(rows, columns, left, right[:, low : low + run.size].astype(np.float64))


def _tiled(rows: Cluster, columns: Cluster, held: _Held) -> list[HBlock]:
    """The blocks below a pair of clusters; what is nowhere is of rank 0, as large as it can be."""
    found = held.at(rows.range, columns.range)
    if found is not None:
        return [found]
    parts = _divided(rows, columns)
    below = [block for r, c in parts for block in _tiled(r, c, held)]
    if all(block.rank == 0 for block in below):
        nothing = np.zeros((rows.size, 0)), np.zeros((columns.size, 0))
        return [HBlock(rows.range, columns.range, None, *nothing, 0.0)]
    return below


def _divided(r: Cluster, c: Cluster) -> list[tuple[Cluster, Cluster]]:
    """As the block tree divides."""
    rows, columns = r.children or (r,), c.children or (c,)
    if r.size > LONG * c.size and r.children:
        columns = (c,)
    elif c.size > LONG * r.size and c.children:
        rows = (r,)
    parts = [(a, b) for a in rows for b in columns]
    return parts if len(parts) > 1 else []


def _measured(block: HBlock, ordered: Array) -> HBlock:
    lost = ordered[slice(*block.rows), slice(*block.columns)] - block.dense()
    return replace(block, error=float(np.linalg.norm(lost)))
