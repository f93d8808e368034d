"""From the form that the op reads back to blocks, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from edgepde_runtime.blocks import PackedBlocks
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from .block_tree import BlockTree
from .clusters import Range
from .hmatrix import HBlock
from .packing import Piece

Array = NDArray[np.float64]
Place = tuple[Range, Range]


def unpacked(
    parts: Sequence[PackedBlocks], tree: BlockTree | None = None, errors: Mapping[Place, float] | None = None
) -> tuple[HBlock, ...]:
    """The blocks of one or two parts (the second of halves), their errors as given, NaN where not.

    With the tree of blocks, dense neighbours come apart where the tree divides them, and what is zero comes as blocks
    of rank 0. Raises InputError where parts disagree about a block.
    """
    found: dict[Place, list[tuple[Piece, bool]]] = {}
    for part in parts:
        half = part.left.dtype == np.float16
        for piece in _pieces(part, tree):
            found.setdefault((piece.rows, piece.columns), []).append((piece, half))
    made = [_block(place, held, (errors or {}).get(place, math.nan)) for place, held in found.items()]
    if tree is not None:
        made += _zeros(made, tree)
    return tuple(sorted(made, key=lambda block: (block.rows, block.columns)))


def _pieces(part: PackedBlocks, tree: BlockTree | None) -> list[Piece]:
    """What every group of rows reads of every group of columns, and of x itself."""
    rights = list(part.right_factors())
    starts = np.array([first for _, first, _ in rights] + [part.ranks])
    made = []
    for start, index, left in part.left_factors():
        rows = (start, start + left.shape[1])
        group = np.where(index < part.ranks, np.searchsorted(starts, index, side="right") - 1, -1)
        for g in sorted(set(group[group >= 0].tolist())):
            at, first, factor = rights[g]
            mine = group == g
            columns = (at, at + factor.shape[0])
            made.append(Piece(rows, columns, None, left[mine].T, factor[:, index[mine] - first]))
        made += _dense(rows, index[group < 0] - part.ranks, left[group < 0], tree)
    return made


def _dense(rows: Range, columns: NDArray[np.int64], left: NDArray[Any], tree: BlockTree | None) -> list[Piece]:
    """Consecutive columns are one piece, or as many as there are nodes of the tree in its rows."""
    made = []
    breaks = np.flatnonzero(np.diff(columns) != 1) + 1
    for run in np.split(np.arange(columns.size), breaks):
        if not run.size:
            continue
        begin, end = int(columns[run[0]]), int(columns[run[-1]]) + 1
        for a, b in _apart(rows, begin, end, tree):
            held = left[run[0] + a - begin : run[0] + b - begin]
            made.append(Piece(rows, (a, b), values=held.T))
    return made


def _apart(rows: Range, begin: int, end: int, tree: BlockTree | None) -> list[Range]:
    if tree is None:
        return [(begin, end)]
    mine = (tree.bounds[:, 0] == rows[0]) & (tree.bounds[:, 1] == rows[1])
    ranges = tree.bounds[mine, 2:].tolist()
    made = []
    while begin < end:
        stop = max((b for a, b in ranges if a == begin and b <= end), default=end)
        made.append((begin, stop))
        begin = stop
    return made


def _block(place: Place, held: Sequence[tuple[Piece, bool]], error: float) -> HBlock:
    held = sorted(held, key=lambda pair: pair[1])
    if any(piece.values is not None for piece, _ in held):
        if len(held) != 1 or held[0][0].values is None:
            raise InputError(f"hmatrix: block {place[0]} x {place[1]}: expected it dense in one part alone")
        values = np.asarray(held[0][0].values, dtype=np.float64)
        return HBlock(*place, values, None, None, error, values.shape[1] if held[0][1] else 0)
    factors = [(p.left, p.right) for p, _ in held if p.left is not None and p.right is not None]
    left, right = (np.hstack([f[i].astype(np.float64) for f in factors]) for i in (0, 1))
    halves = sum(p.left.shape[1] for p, half in held if half and p.left is not None)
    return HBlock(*place, None, left, right, error, halves)


def _zeros(blocks: Sequence[HBlock], tree: BlockTree) -> list[HBlock]:
    """Blocks of rank 0 at the largest nodes that hold nothing."""
    covered = np.zeros((int(tree.bounds[0, 1]), int(tree.bounds[0, 3])), dtype=bool)
    for block in blocks:
        covered[slice(*block.rows), slice(*block.columns)] = True
    made, waiting = [], [0]
    while waiting:
        node = waiting.pop()
        a, b, c, d = tree.bounds[node].tolist()
        inside = covered[a:b, c:d]
        if not inside.any():
            made.append(HBlock((a, b), (c, d), None, np.zeros((b - a, 0)), np.zeros((d - c, 0)), math.nan))
        elif not inside.all():
            waiting += tree.children(node)
    return made
