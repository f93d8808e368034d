"""The tree of blocks that a row tree and a column tree span, level by level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from .clusters import Cluster, ClusterTree, admissible

Whole = NDArray[np.int64]
LONG = 2


@final
@dataclass(frozen=True, eq=False)
class BlockTree:
    """Nodes breadth first: bounds [N, 4] (rows, columns); the children of node i are first[i] .. first[i] + count[i].

    levels: first node of every level, and N. low_rank [N]: whether eta lets the node be of low rank.
    """

    bounds: Whole
    first: Whole
    count: Whole
    levels: tuple[int, ...]
    low_rank: NDArray[np.bool_]

    @property
    def heights(self) -> Whole:
        """Rows of every node [N]."""
        return self.bounds[:, 1] - self.bounds[:, 0]

    @property
    def widths(self) -> Whole:
        """Columns of every node [N]."""
        return self.bounds[:, 3] - self.bounds[:, 2]

    def parents(self) -> Whole:
        """The parent of every node [N]; -1: none."""
        made = np.full(self.first.size, -1)
        inner = np.flatnonzero(self.count)
        if inner.size:
            made[1:] = np.repeat(inner, self.count[inner])
        return made

    def children(self, node: int) -> range:
        """The children of a node."""
        start = int(self.first[node])
        return range(start, start + int(self.count[node]))


def block_tree(rows: ClusterTree, columns: ClusterTree, eta: float | None) -> BlockTree:
    """Divide both clusters of a block; only the longer one where it is more than twice as long, or the other a leaf."""
    level: list[tuple[Cluster, Cluster]] = [(rows.root, columns.root)]
    bounds: list[tuple[int, int, int, int]] = []
    first: list[int] = []
    count: list[int] = []
    allowed: list[bool] = []
    levels = [0]
    while level:
        below: list[tuple[Cluster, Cluster]] = []
        for r, c in level:
            parts = _divided(r, c)
            first.append(levels[-1] + len(level) + len(below))
            count.append(len(parts))
            below += parts
            bounds.append((*r.range, *c.range))
            allowed.append(eta is None or admissible(r, c, eta))
        levels.append(len(bounds))
        level = below
    return BlockTree(np.array(bounds), np.array(first), np.array(count), tuple(levels), np.array(allowed))


def _divided(r: Cluster, c: Cluster) -> list[tuple[Cluster, Cluster]]:
    rows, columns = r.children or (r,), c.children or (c,)
    if r.size > LONG * c.size and r.children:
        columns = (c,)
    elif c.size > LONG * r.size and c.children:
        rows = (r,)
    parts = [(a, b) for a in rows for b in columns]
    return parts if len(parts) > 1 else []
