"""Which blocks: every one dense, of low rank or divided, whichever costs least.

For a multiplier mu a block costs its bytes + mu error^2; dense: all of its numbers; low rank: with sigma its singular
values and w = p + q, sum_i min(bytes w, mu sigma_i^2); divided: what its parts cost. Bottom up this is the optimum over
all partitions and ranks. mu is the largest error within the tolerance, by bisection. Blocks are disjoint, so squared
errors add.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from .spectra import Spectra

Array = NDArray[np.float64]
DENSE, LOW, SPLIT = 0, 1, 2
STEPS, FIRST, STRIDE, MOST = 24, 30.0, 4.0, 60


@final
@dataclass(frozen=True, eq=False)
class Choice:
    """Per chosen node its rank, None: dense; error2: the sum of squared errors that is expected."""

    ranks: dict[int, int | None]
    error2: float


@final
class Partition:
    """The optimum over partitions of a matrix for multipliers and tolerances; decompositions are kept over both."""

    def __init__(self, spectra: Spectra, itemsize: int, max_rank: int | None) -> None:
        self.spectra, self.tree = spectra, spectra.tree
        self.itemsize, self.max_rank = itemsize, max_rank
        tree = self.tree
        self.area = (tree.heights * tree.widths).astype(np.float64)
        self.sides = (tree.heights + tree.widths).astype(np.float64)
        self.roundoff = 2.0 ** (-24 if itemsize == 4 else -53)
        self.norms = np.array([spectra.norm2(i) for i in range(self.area.size)])
        self._least: dict[int, Array] = {}

    def within(self, tolerance: float) -> Choice:
        """The cheapest choice found whose expected error is within the tolerance."""
        high = self.itemsize * self.area[0] / (FIRST * tolerance**2)
        good = self.at(high)
        while good.error2 > tolerance**2 and high < np.finfo(float).max / STRIDE:
            high *= STRIDE
            good = self.at(high)
        low = high / STRIDE
        for _ in range(MOST):
            tried = self.at(low)
            if tried.error2 > tolerance**2:
                break
            high, good, low = low, tried, low / STRIDE
        for _ in range(STEPS):
            middle = float(np.sqrt(low * high))
            tried = self.at(middle)
            if tried.error2 > tolerance**2:
                low = middle
            else:
                high, good = middle, tried
        return good

    def at(self, mu: float) -> Choice:
        """The choice of least bytes + mu error^2."""
        dense = self.itemsize * self.area + mu * self.roundoff**2 * self.norms
        best, kind = dense.copy(), np.full(dense.size, DENSE)
        for start, stop in _upwards(self.tree.levels):
            nodes = np.arange(start, stop)
            inner = nodes[self.tree.count[start:stop] > 0]
            if inner.size:
                below = self._sums(best, inner)
                take = below < best[inner]
                best[inner[take]], kind[inner[take]] = below[take], SPLIT
            low = self._low(nodes, mu, best)
            take = low < best[nodes]
            best[nodes[take]], kind[nodes[take]] = low[take], LOW
        return self._read(kind, mu)

    def _sums(self, values: Array, inner: NDArray[np.int64]) -> Array:
        first = self.tree.first[inner]
        return np.asarray(np.add.reduceat(values[: first[-1] + self.tree.count[inner[-1]]], first))

    def _low(self, nodes: NDArray[np.int64], mu: float, best: Array) -> Array:
        """Cost of each node at its best rank; infinite where a bound from its children shows that it does not pay."""
        made = np.full(nodes.size, np.inf)
        for place, node in enumerate(nodes.tolist()):
            if not self.tree.low_rank[node]:
                continue
            unit = self.itemsize * self.sides[node]
            known = self.spectra.factors.get(node)
            if known is None:
                if np.minimum(unit, mu * self.least(node)).sum() >= best[node]:
                    continue
                known = self.spectra.compute(node)
                self._least[node] = known.sigma**2
            kept = self._kept(known.sigma, mu, unit)
            error2 = self._lost(node, kept)
            made[place] = unit * kept + mu * error2
        return made

    def least(self, node: int) -> Array:
        """Squares of lower bounds of a node's singular values: those of any part are not larger."""
        if node not in self._least:
            below = [self.least(child) for child in self.tree.children(node)]
            made = np.zeros(max((b.size for b in below), default=0))
            for b in below:
                np.maximum(made[: b.size], b, out=made[: b.size])
            self._least[node] = made
        return self._least[node]

    def _kept(self, sigma: Array, mu: float, unit: float) -> int:
        most = sigma.size if self.max_rank is None else min(sigma.size, self.max_rank)
        return int(np.count_nonzero(mu * sigma[:most] ** 2 > unit))

    def _lost(self, node: int, kept: int) -> float:
        known = self.spectra.factors[node]
        return float(np.sum(known.sigma[kept:] ** 2)) + known.lost + 2.0 * self.roundoff**2 * self.norms[node]

    def _read(self, kind: NDArray[np.int64], mu: float) -> Choice:
        ranks: dict[int, int | None] = {}
        error2, open_nodes = 0.0, [0]
        while open_nodes:
            node = open_nodes.pop()
            if kind[node] == SPLIT:
                open_nodes += self.tree.children(node)
            elif kind[node] == LOW:
                kept = self._kept(self.spectra.factors[node].sigma, mu, self.itemsize * self.sides[node])
                ranks[node] = kept
                error2 += self._lost(node, kept)
            else:
                ranks[node] = None
                error2 += self.roundoff**2 * self.norms[node]
        return Choice(ranks, error2)


def _upwards(levels: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    return zip(reversed(levels[:-1]), reversed(levels[1:]), strict=True)
