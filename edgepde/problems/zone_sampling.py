"""Values on triangles and at times, interpolated linearly to a zone's places."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from edgepde.errors import DataError

Array = NDArray[np.float64]
TOLERANCE = 1e-9
AT_ONCE = 1 << 22


def sampler(points: Array, triangles: NDArray[np.int64], y: Array, x: Array, where: str) -> csr_matrix:
    """[Y X, n]: values at points [n, 2] to the places of a grid; rows of places in no triangle (a hole) are empty.

    Raises DataError naming `where` where the grid leaves the mesh's bounding box, or no place is in a triangle.
    """
    places = np.stack([np.tile(x, len(y)), np.repeat(y, len(x))], axis=1)
    low, high = points.min(axis=0), points.max(axis=0)
    slack = TOLERANCE * (high - low).max()
    if (places < low - slack).any() or (places > high + slack).any():
        raise DataError(
            f"{where}: zone x {x[0]:g} .. {x[-1]:g}, y {y[0]:g} .. {y[-1]:g}: expected inside the mesh, which is "
            f"x {low[0]:g} .. {high[0]:g}, y {low[1]:g} .. {high[1]:g}"
        )
    found, weights = _located(points, triangles, places)
    rows = np.flatnonzero(found >= 0)
    if not rows.size:
        raise DataError(f"{where}: zone: expected places in triangles, none of {len(places)} is")
    corners = triangles[found[rows]]
    entries = (weights[rows].ravel(), (np.repeat(rows, 3), corners.ravel()))
    return csr_matrix(entries, shape=(len(places), len(points)))


@final
class Samplers:
    """sampler(), made anew only where the mesh is not that of the case before."""

    def __init__(self) -> None:
        self._last: tuple[Array, NDArray[np.int64], csr_matrix] | None = None

    def of(self, points: Array, triangles: NDArray[np.int64], y: Array, x: Array, where: str) -> csr_matrix:
        """The matrix of a mesh; y and x are always the same."""
        held = self._last
        if held is None or not (np.array_equal(held[0], points) and np.array_equal(held[1], triangles)):
            held = self._last = (points, triangles, sampler(points, triangles, y, x, where))
        return held[2]


def in_time(times: Array, values: Array, wanted: Array) -> Array:
    """values [K, n] at times [K] to values [T, n] at wanted [T] within them."""
    after = np.clip(np.searchsorted(times, wanted), 1, len(times) - 1)
    share = ((wanted - times[after - 1]) / (times[after] - times[after - 1]))[:, None]
    made: Array = (1.0 - share) * values[after - 1] + share * values[after]
    return made


def _located(points: Array, triangles: NDArray[np.int64], places: Array) -> tuple[NDArray[np.int64], Array]:
    """(triangle or -1 [m], barycentric weights [m, 3]) of every place: the triangle it is deepest in."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    twice = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    kept = np.flatnonzero(np.abs(twice) > 0)
    a, b, c, twice = a[kept], b[kept], c[kept], twice[kept]
    found, weights = np.full(len(places), -1), np.zeros((len(places), 3))
    step = max(1, AT_ONCE // max(1, len(kept)))
    for first in range(0, len(places) if len(kept) else 0, step):
        p = places[first : first + step, None, :]
        lb = ((p - a)[..., 0] * (c - a)[:, 1] - (p - a)[..., 1] * (c - a)[:, 0]) / twice
        lc = ((b - a)[:, 0] * (p - a)[..., 1] - (b - a)[:, 1] * (p - a)[..., 0]) / twice
        depth = np.minimum(np.minimum(lb, lc), 1.0 - lb - lc)
        best = np.argmax(depth, axis=1)
        at = np.arange(len(best))
        inside = depth[at, best] >= -TOLERANCE
        rows = first + at[inside]
        lb, lc = lb[at, best][inside], lc[at, best][inside]
        found[rows] = kept[best[inside]]
        weights[rows] = np.stack([1.0 - lb - lc, lb, lc], axis=1)
    return found, weights
