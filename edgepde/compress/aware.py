"""The cheapest blocks of a layer for a multiplier, errors weighed per cluster by its adjoints and inputs."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from edgepde.compress.forms.low_rank import root
from edgepde.hmatrix.block_tree import block_tree
from edgepde.hmatrix.clusters import ClusterTree, Range
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HBlock, HMatrix

Array = NDArray[np.float64]
HALF = 2


@final
class Aware:
    """A weight [m, n] in cluster order with one weighed decomposition per block.

    moments: A [m, m] of adjoints, C [n, n] of inputs. A singular triple is held in numbers of `each` bytes, in halves,
    or dropped; what halves lose is measured. Bytes + multiplier error^2 is least over all partitions.
    """

    def __init__(
        self, weight: Array, moments: tuple[Array, Array], trees: tuple[ClusterTree, ClusterTree], each: int
    ) -> None:
        self.trees, self.each = trees, each
        rows, columns = (tree.order for tree in trees)
        self.weight = weight[np.ix_(rows, columns)]
        self.moments = moments[0][np.ix_(rows, rows)], moments[1][np.ix_(columns, columns)]
        self.tree = block_tree(*trees, None)
        self._roots: dict[tuple[int, Range], tuple[Array, Array]] = {}
        self.held = [self._decomposed(*bounds) for bounds in self.tree.bounds.tolist()]

    def multiplier(self, share: float) -> float:
        """The multiplier at which a triple of the whole matrix is dropped below share * its largest singular value."""
        singular = self.held[0][2]
        return self.each * sum(self.weight.shape) / max(float(singular[0]) * share, 1e-150) ** 2

    def at(self, multiplier: float) -> HMatrix:
        """The cheapest blocks."""
        bounds = self.tree.bounds
        sides = (bounds[:, 1] - bounds[:, 0]) + (bounds[:, 3] - bounds[:, 2])
        area = (bounds[:, 1] - bounds[:, 0]) * (bounds[:, 3] - bounds[:, 2])
        cost, kind = self.each * area.astype(float), ["dense"] * len(area)
        for node in reversed(range(len(area))):
            below = self.tree.children(node)
            if below and cost[list(below)].sum() < cost[node]:
                cost[node], kind[node] = cost[list(below)].sum(), "split"
            low = float(self._prices(node, int(sides[node]), multiplier).min(axis=0).sum())
            if low < cost[node]:
                cost[node], kind[node] = low, "low"
        blocks = self._blocks(kind, sides, multiplier)
        norm = float(np.linalg.norm(self.weight))
        error = float(np.sqrt(sum(block.error**2 for block in blocks)))
        dtype = "float64" if self.each == 8 else "float32"
        return HMatrix(self.trees[0].order, self.trees[1].order, blocks, HConfig(), norm, error, dtype)

    def _prices(self, node: int, side: int, multiplier: float) -> Array:
        """Of every singular triple held whole, in halves, dropped [3, k]."""
        _, _, singular, halved = self.held[node]
        whole = np.full(len(singular), float(self.each * side))
        return np.stack([whole, HALF * side + multiplier * halved**2, multiplier * singular**2])

    def _blocks(self, kind: list[str], sides: NDArray[np.int64], multiplier: float) -> tuple[HBlock, ...]:
        made, open_nodes = [], [0]
        while open_nodes:
            node = open_nodes.pop()
            if kind[node] == "split":
                open_nodes += self.tree.children(node)
                continue
            a, b, c, d = self.tree.bounds[node].tolist()
            if kind[node] == "low":
                price = self._prices(node, int(sides[node]), multiplier).argmin(axis=0)
                made.append(self._low(node, np.flatnonzero(price == 0), np.flatnonzero(price == 1)))
            else:
                values = self._held(self.weight[a:b, c:d])
                error = float(np.linalg.norm(values - self.weight[a:b, c:d]))
                made.append(HBlock((a, b), (c, d), values, None, None, error))
        return tuple(sorted(made, key=lambda block: (block.rows, block.columns)))

    def _low(self, node: int, whole: NDArray[np.int64], halves: NDArray[np.int64]) -> HBlock:
        a, b, c, d = self.tree.bounds[node].tolist()
        left, right = self.held[node][:2]
        some = [np.hstack([self._held(f[:, whole]), _half(f[:, halves])]) for f in (left, right)]
        error = float(np.linalg.norm(self.weight[a:b, c:d] - some[0] @ some[1].T))
        return HBlock((a, b), (c, d), None, some[0], some[1], error, halves.size)

    def _held(self, values: Array) -> Array:
        return values if self.each == 8 else values.astype(np.float32).astype(np.float64)

    def _decomposed(self, a: int, b: int, c: int, d: int) -> tuple[Array, Array, Array, Array]:
        """(left [p, k], right [q, k], singular values, what halves of both lose), weighed."""
        pull, back = self._root(0, (a, b))
        spread, _ = self._root(1, (c, d))
        block = self.weight[a:b, c:d]
        U, singular, _ = np.linalg.svd(pull @ block @ spread, full_matrices=False)
        left, right = back @ U, (U.T @ pull @ block).T
        balance = np.sqrt(np.abs(right).max(axis=0, initial=1e-300) / np.abs(left).max(axis=0, initial=1e-300))
        left, right = left * balance, right / balance
        of_left = np.linalg.norm(pull @ (left - _half(left)), axis=0) * np.linalg.norm(spread @ right, axis=0)
        of_right = np.linalg.norm(pull @ left, axis=0) * np.linalg.norm(spread @ (right - _half(right)), axis=0)
        return left, right, singular, np.hypot(of_left, of_right)

    def _root(self, axis: int, span: Range) -> tuple[Array, Array]:
        if (axis, span) not in self._roots:
            self._roots[axis, span] = root(self.moments[axis][slice(*span), slice(*span)])
        return self._roots[axis, span]


def _half(values: Array) -> Array:
    return np.clip(values, -6e4, 6e4).astype(np.float16).astype(np.float64)
