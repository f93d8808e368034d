"""Which blocks: every one dense, of low rank or divided, whichever costs least.

For a multiplier mu a block costs its bytes + mu error^2. Dense: all of its numbers. Low rank, with sigma its singular
values and w = p + q: sum_i min(bytes w, mu sigma_i^2), where halves are stored also 2 w + mu (h sigma_i)^2. Divided:
what its parts cost. Bottom up this is the optimum over all partitions and ranks; mu comes from the tolerance by
bisection. Blocks are disjoint, so squared errors add. A block is decomposed only where the singular values of its
parts, none of them above its own, leave room for it to be cheaper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from .spectra import Spectra

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
DENSE, LOW, SPLIT, KEPT = 0, 1, 2, 3
STEPS, FIRST, STRIDE, MOST = 24, 30.0, 8.0, 60
APART = 1e-5
"""By so much costs of equal blocks are told apart: all of them would change at one multiplier, tolerance unused."""
HALF, HALF_BYTES = 2.0**-23, 2
"""Squared relative error of a product of two factors rounded to float16, expected; and what such a number takes."""


class Kept(NamedTuple):
    """How a chosen block is held: its rank (None: dense) and how many of its columns are halves."""

    rank: int | None
    halves: int


@final
@dataclass(frozen=True, eq=False)
class Choice:
    """Per chosen node how it is held; error2: the sum of squared errors that is expected."""

    held: dict[int, Kept]
    error2: float


@final
class Partition:
    """The optimum over partitions of a matrix for multipliers and tolerances; decompositions are kept over both.

    fixed: squared errors of nodes that stay as they are at no cost; whatever lies above them is divided. missed:
    whether some halves of the last choice could not be stored as such.
    """

    def __init__(
        self,
        spectra: Spectra,
        itemsize: int,
        max_rank: int | None = None,
        half: bool = False,
        fixed: dict[int, float] | None = None,
    ) -> None:
        self.spectra, self.tree = spectra, spectra.tree
        self.itemsize, self.max_rank, self.half = itemsize, max_rank, half
        self.missed = False
        self.area = (self.tree.heights * self.tree.widths).astype(np.float64)
        apart = 1.0 + APART * np.random.default_rng(0).random(self.area.size)
        self.unit = itemsize * (self.tree.heights + self.tree.widths) * apart
        self.roundoff = 2.0 ** (-48 if itemsize == 4 else -106)
        self.fixed = dict(fixed or {})
        self.forced = _above(self.tree.parents(), self.fixed)
        self.free = self._free()
        self.norms = np.array([spectra.norm2(i) if self.free[i] else 0.0 for i in range(self.area.size)])
        self.values: list[Array] = [np.zeros(0)] * self.area.size
        self.lost = np.zeros(self.area.size)
        self.known = np.zeros(self.area.size, dtype=bool)
        self._flat: dict[int, tuple[Array, Whole]] = {}

    def within(self, tolerance: float) -> Choice:
        """The cheapest choice found whose expected error is within the tolerance; raises ValueError below rounding."""
        target = tolerance**2
        if not FIRST * target > np.finfo(float).tiny:
            raise ValueError("the tolerance is below what rounding leaves")
        high = float(self.itemsize * self.area[0] / (FIRST * target))
        good = self.at(high)
        for _ in range(MOST):
            if good.error2 <= target:
                break
            if high > np.finfo(float).max / STRIDE:
                raise ValueError("the tolerance is below what rounding leaves")
            high *= STRIDE
            good = self.at(high)
        else:
            raise ValueError("the tolerance is below what rounding leaves")
        low = high / STRIDE
        for _ in range(MOST):
            tried = self.at(low)
            if tried.error2 > target:
                break
            high, good, low = low, tried, low / STRIDE
        for _ in range(STEPS):
            middle = float(np.sqrt(low) * np.sqrt(high))
            tried = self.at(middle)
            if tried.error2 > target:
                low = middle
            else:
                high, good = middle, tried
        return self._filled(good, target)

    def at(self, mu: float) -> Choice:
        """The choice of least bytes + mu error^2."""
        best = self.itemsize * self.area + mu * self.roundoff * self.norms
        if self.half:
            best = np.minimum(best, HALF_BYTES * self.area + mu * HALF / 2 * self.norms)
        kind = np.full(best.size, DENSE)
        for level in range(len(self.tree.levels) - 2, -1, -1):
            nodes = np.arange(self.tree.levels[level], self.tree.levels[level + 1])
            self._divide(nodes, best, kind)
            low = self._low(level, nodes, mu, best)
            take = (low < best[nodes]) & self.free[nodes] & ~self.forced[nodes]
            best[nodes[take]], kind[nodes[take]] = low[take], LOW
            for node in nodes[[n in self.fixed for n in nodes.tolist()]].tolist() if self.fixed else ():
                best[node], kind[node] = mu * self.fixed[node], KEPT
        return self._read(kind, mu)

    def _divide(self, nodes: Whole, best: Array, kind: Whole) -> None:
        inner = nodes[self.tree.count[nodes] > 0]
        if inner.size:
            first = self.tree.first[inner]
            below = np.add.reduceat(best[: first[-1] + self.tree.count[inner[-1]]], first)
            take = (below < best[inner]) | self.forced[inner]
            best[inner[take]], kind[inner[take]] = below[take], SPLIT

    def _low(self, level: int, nodes: Whole, mu: float, best: Array) -> Array:
        """Cost of each node of a level at its best rank; infinite where it cannot pay."""
        if level not in self._flat:
            self._bound(nodes)
            self._flat[level] = self._joined(nodes)
        may = self.tree.low_rank[nodes] & self.free[nodes] & ~self.forced[nodes]
        cost = self._cost(level, nodes, mu)
        wanted = nodes[may & ~self.known[nodes] & (cost < best[nodes])]
        for node in wanted.tolist():
            enough = int(np.ceil(best[node] / (self.unit[node] * (HALF_BYTES / self.itemsize if self.half else 1.0))))
            made = self.spectra.compute(node, enough)
            self.values[node], self.known[node], self.lost[node] = made.sigma**2, True, made.lost
        if wanted.size:
            self._flat[level] = self._joined(nodes)
            cost = self._cost(level, nodes, mu)
        return np.where(may & self.known[nodes], cost, np.inf)

    def _bound(self, nodes: Whole) -> None:
        """Squares of lower bounds of the singular values: those of any part are not larger."""
        for node in nodes[~self.known[nodes]].tolist():
            below = [self.values[child] for child in self.tree.children(node)]
            made = np.zeros(max((b.size for b in below), default=0))
            for b in below:
                np.maximum(made[: b.size], b, out=made[: b.size])
            self.values[node] = made

    def _joined(self, nodes: Whole) -> tuple[Array, Whole]:
        """The squares of all nodes after each other, a zero before each; where each starts."""
        parts = [self.values[node] for node in nodes.tolist()]
        starts = np.cumsum([0] + [p.size + 1 for p in parts[:-1]])
        return np.insert(np.concatenate(parts), starts - np.arange(nodes.size), 0.0), starts

    def _cost(self, level: int, nodes: Whole, mu: float) -> Array:
        flat, starts = self._flat[level]
        size = np.diff(np.append(starts, flat.size))
        unit = np.repeat(self.unit[nodes], size)
        if self.max_rank is not None:
            place = np.arange(flat.size) - np.repeat(starts, size)
            unit = np.where(place > self.max_rank, np.inf, unit)
        each = np.minimum(unit, mu * flat)
        if self.half:
            each = np.minimum(each, unit * (HALF_BYTES / self.itemsize) + mu * HALF * flat)
        each[starts] = 0.0
        return np.asarray(
            np.add.reduceat(each, starts) + mu * (self.lost[nodes] + 2 * self.roundoff * self.norms[nodes])
        )

    def _free(self) -> NDArray[np.bool_]:
        """Nodes that are not below a fixed one."""
        made = np.ones(self.area.size, dtype=bool)
        for node in range(self.area.size):
            if node in self.fixed or not made[node]:
                made[list(self.tree.children(node))] = False
        return made

    def _read(self, kind: Whole, mu: float) -> Choice:
        held: dict[int, Kept] = {}
        error2, waiting = 0.0, [0]
        while waiting:
            node = waiting.pop()
            if kind[node] == SPLIT:
                waiting += self.tree.children(node)
            elif kind[node] == KEPT:
                error2 += self.fixed[node]
            else:
                held[node] = self._ranks(node, mu) if kind[node] == LOW else self._dense(node, mu)
                error2 += self._lost(node, held[node])
        return Choice(held, error2)

    def _dense(self, node: int, mu: float) -> Kept:
        saved = (self.itemsize - HALF_BYTES) * self.area[node]
        return Kept(None, int(self.half and mu * HALF / 2 * self.norms[node] < saved))

    def _ranks(self, node: int, mu: float) -> Kept:
        squares, unit = mu * self.values[node][: self.max_rank], self.unit[node]
        if not self.half:
            return Kept(int(np.count_nonzero(squares > unit)), 0)
        small = unit * HALF_BYTES / self.itemsize
        whole = int(np.count_nonzero(HALF * squares > unit - small))
        rank = max(whole, int(np.count_nonzero((1 - HALF) * squares > small)))
        return Kept(rank, rank - whole)

    def _lost(self, node: int, kept: Kept) -> float:
        if kept.rank is None:
            return float((HALF / 2 if kept.halves else self.roundoff) * self.norms[node])
        squares = self.values[node]
        halves = HALF * float(squares[kept.rank - kept.halves : kept.rank].sum())
        rounding = float(2 * self.roundoff * self.norms[node])
        return float(squares[kept.rank :].sum()) + halves + rounding + float(self.lost[node])

    def _filled(self, choice: Choice, target: float) -> Choice:
        """What the bisection left of the tolerance drops more: least error for the bytes first."""
        nodes = [n for n, k in choice.held.items() if k.rank]
        if not nodes:
            return choice
        ranks = [choice.held[n].rank or 0 for n in nodes]
        squares = np.concatenate([self.values[n][:r] for n, r in zip(nodes, ranks, strict=True)])
        owner = np.repeat(np.arange(len(nodes)), ranks)
        ascending = np.argsort(squares / self.unit[nodes][owner], kind="stable")
        fits = np.cumsum(squares[ascending]) <= target - choice.error2
        held, error2 = dict(choice.held), choice.error2 + float(squares[ascending][fits].sum())
        for place in owner[ascending[fits]].tolist():
            rank, halves = held[nodes[place]]
            held[nodes[place]] = Kept((rank or 1) - 1, max(halves - 1, 0))
        return Choice(held, error2)


def _above(parents: Whole, nodes: dict[int, float]) -> NDArray[np.bool_]:
    """Everything above the nodes."""
    made = np.zeros(parents.size, dtype=bool)
    for start in nodes:
        node = int(parents[start])
        while node >= 0 and not made[node]:
            made[node] = True
            node = int(parents[node])
    return made
