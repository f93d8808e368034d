"""Which blocks a fresh layer has, before it knows any entry: halves off the diagonal, or clusters far apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from edgepde_runtime.blocks import Block

from .clusters import Cluster, ClusterTree, admissible, from_points, in_order
from .config import HConfig


def trees(rows: int, columns: int, config: HConfig, points: Any, row_points: Any) -> tuple[ClusterTree, ClusterTree]:
    """Trees of rows and columns: from points [n, d] (rows from the columns' where sizes agree), else in order.

    With eta and no points, index i of n lies at (i + 1/2)/n.
    """
    if points is None and row_points is None and config.eta is None:
        return in_order(rows, config.leaf), in_order(columns, config.leaf)
    places = _evenly(columns) if points is None else points
    if row_points is None:
        row_points = places if len(places) == rows else _evenly(rows)
    return from_points(row_points, config.leaf), from_points(places, config.leaf)


def pattern(rows: ClusterTree, columns: ClusterTree, config: HConfig, rank: int) -> tuple[Block, ...]:
    """Blocks of the given rank where eta admits them, without eta off the diagonal; dense where that saves none."""
    most = rank if config.max_rank is None else min(rank, config.max_rank)
    made: list[Block] = []
    _divide(rows.root, columns.root, True, config.eta, most, made)
    return tuple(sorted(made, key=lambda block: (block.rows, block.columns)))


def _divide(rows: Cluster, columns: Cluster, meets: bool, eta: float | None, rank: int, made: list[Block]) -> None:
    low = not meets if eta is None else admissible(rows, columns, eta)
    pays = rank * (rows.size + columns.size) < rows.size * columns.size
    if low and pays:
        made.append(Block(rows.range, columns.range, rank))
    elif not low and rows.children and columns.children:
        for i, row in enumerate(rows.children):
            for j, column in enumerate(columns.children):
                _divide(row, column, i == j, eta, rank, made)
    else:
        made.append(Block(rows.range, columns.range, None))


def _evenly(n: int) -> Any:
    return ((np.arange(n) + 0.5) / n)[:, None]
