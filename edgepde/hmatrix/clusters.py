"""Cluster trees: an order of the indices 0 .. n - 1 and its nested halves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Range = tuple[int, int]
DEFAULT_LEAF = 32


@final
@dataclass(frozen=True, eq=False)
class Cluster:
    """Positions start .. stop - 1 of an order; none or two children; corners of the box around its points, if any."""

    start: int
    stop: int
    children: tuple[Cluster, ...] = ()
    low: Array | None = None
    high: Array | None = None

    @property
    def size(self) -> int:
        """How many indices it has."""
        return self.stop - self.start

    @property
    def range(self) -> Range:
        """(start, stop)."""
        return self.start, self.stop

    def walk(self) -> Iterator[Cluster]:
        """The cluster and everything below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


@final
@dataclass(frozen=True, eq=False)
class ClusterTree:
    """order [n]: the index at every position; root: all positions, divided in halves down to leaf or fewer."""

    order: Whole
    root: Cluster
    leaf: int

    @property
    def size(self) -> int:
        """The number n of indices."""
        return self.order.size


def in_order(n: int, leaf: int = DEFAULT_LEAF) -> ClusterTree:
    """The tree that keeps the order 0 .. n - 1."""
    return bisected(n, leaf, lambda indices: indices)


def from_points(points: Any, leaf: int = DEFAULT_LEAF) -> ClusterTree:
    """Halves along the longest axis of the box around points [n, d]; raises InputError where they are not finite."""
    at = np.asarray(points, dtype=np.float64)
    at = at[:, None] if at.ndim == 1 else at
    if at.ndim != 2 or at.size == 0:
        raise InputError(f"hmatrix points: expected [n, d], got {list(at.shape)}")
    if not np.isfinite(at).all():
        raise InputError(
            f"hmatrix points: point {int(np.argmin(np.isfinite(at).all(axis=1)))}: expected finite numbers"
        )

    def sort(indices: Whole) -> Whole:
        inside = at[indices]
        axis = int(np.argmax(inside.max(axis=0) - inside.min(axis=0)))
        return indices[np.argsort(inside[:, axis], kind="stable")]

    return bisected(at.shape[0], leaf, sort, at)


def bisected(n: int, leaf: int, sort: Callable[[Whole], Whole], points: Array | None = None) -> ClusterTree:
    """Sort the indices of a cluster, divide them in the middle, and so on down to leaf indices."""
    if n < 1:
        raise InputError(f"hmatrix clusters: expected at least one index, got {n}")
    if leaf < 1:
        raise InputError(f"hmatrix clusters: leaf: expected a whole number above 0, got {leaf}")
    order = np.arange(n, dtype=np.int64)
    root = _divided(order, 0, n, leaf, sort, points)
    return ClusterTree(order, root, leaf)


def _divided(
    order: Whole, start: int, stop: int, leaf: int, sort: Callable[[Whole], Whole], points: Array | None
) -> Cluster:
    low = high = None
    children: tuple[Cluster, ...] = ()
    if stop - start > leaf:
        order[start:stop] = sort(order[start:stop])
        middle = start + (stop - start + 1) // 2
        halves = ((start, middle), (middle, stop))
        children = tuple(_divided(order, a, b, leaf, sort, points) for a, b in halves)
    if points is not None:
        inside = points[order[start:stop]]
        low, high = inside.min(axis=0), inside.max(axis=0)
    return Cluster(start, stop, children, low, high)


def admissible(rows: Cluster, columns: Cluster, eta: float) -> bool:
    """min(diam rows, diam columns) <= eta distance, of the boxes around their points; symmetric in its clusters."""
    if rows.low is None or rows.high is None or columns.low is None or columns.high is None:
        raise InputError("hmatrix config: eta: expected clusters from points, got clusters without")
    if rows.low.size != columns.low.size:
        raise InputError(f"hmatrix points: rows have {rows.low.size} coordinates, columns {columns.low.size}")
    diameter = min(np.linalg.norm(rows.high - rows.low), np.linalg.norm(columns.high - columns.low))
    gap = np.maximum(0.0, np.maximum(rows.low - columns.high, columns.low - rows.high))
    distance = float(np.linalg.norm(gap))
    return distance > 0.0 and float(diameter) <= eta * distance
