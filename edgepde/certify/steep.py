"""Where a network is steepest: rounding before a steep place costs the most after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[np.float64]
Network = Callable[[Array], Array]

LINKS, PARTS, ZOOMS = 32, 64, 4
NEAREST, NUMBERS = 24, 1 << 21


@dataclass(frozen=True)
class Steep:
    """points [k, d], steepest first; slope: the largest |change of output| per change of x / max |x|, by columns."""

    points: Array
    slope: float


def steepest(network: Network, points: Array, count: int = 3) -> Steep:
    """The steepest places among neighbouring points [M, d], each pair's segment divided again and again.

    Segments are followed where the slope is largest and where the jump is largest: a cliff shows as a jump.
    """
    scale = np.maximum(np.abs(points).max(axis=0), np.finfo(np.float64).tiny)
    values = network(points).reshape(len(points), -1)
    pairs = _neighbours(points / scale)
    if not len(pairs):
        return Steep(points[:0], 0.0)
    step = max(1, NUMBERS // (values.shape[1] + points.shape[1]))
    some = [pairs[i : i + step].T for i in range(0, len(pairs), step)]
    jump = np.concatenate([_jump(values[a], values[b]) for a, b in some])
    length = np.concatenate([np.linalg.norm((points[a] - points[b]) / scale, axis=1) for a, b in some])
    slope = _slope(jump, length)
    links = max(1, min(LINKS, step // PARTS))
    picked = np.unique(np.concatenate([np.argsort(-slope)[:links], np.argsort(-jump)[:links]]))
    ends, steep = points[pairs[picked]], slope[picked]
    for _ in range(ZOOMS):
        ends, local = _zoom(network, ends, scale)
        steep = np.maximum(steep, local)
    order = np.argsort(-steep)[:count]
    return Steep(ends[order].mean(axis=1), float(steep.max()))


def _neighbours(points: Array) -> NDArray[np.intp]:
    """Pairs [n, 2] of each point with its nearest ones, at a distance."""
    k = min(len(points), 2 * points.shape[1] + 4, NEAREST)
    distance, near = cKDTree(points).query(points, k=k)
    first = np.repeat(np.arange(len(points)), k)
    apart = distance.ravel() > 0.0
    return np.stack([first, near.ravel()], axis=1)[apart]


def _jump(a: Array, b: Array) -> Array:
    """The largest |a - b| along the last axis; NaN counts as infinite."""
    with np.errstate(invalid="ignore", over="ignore"):
        jump = np.abs(a - b).max(axis=-1)
    return np.where(np.isfinite(jump), jump, np.inf)


def _slope(jump: Array, length: Array) -> Array:
    """jump / length, 0 between points so near that only float64's own rounding would show."""
    with np.errstate(over="ignore"):
        return np.where(length > np.finfo(np.float32).eps ** 2, jump / np.maximum(length, np.finfo(float).tiny), 0.0)


def _zoom(network: Network, ends: Array, scale: Array) -> tuple[Array, Array]:
    """The steepest of PARTS parts of every segment [s, 2, d], and its slope [s]; points that coincide have none."""
    share = np.linspace(0.0, 1.0, PARTS + 1)[None, :, None]
    line = ends[:, :1] + share * (ends[:, 1:] - ends[:, :1])
    values = network(line.reshape(-1, line.shape[2])).reshape(len(ends), PARTS + 1, -1)
    jump = _jump(values[:, :-1], values[:, 1:])
    length = np.linalg.norm(np.diff(line, axis=1) / scale, axis=2)
    slope = _slope(jump, length)
    rows, part = np.arange(len(ends)), slope.argmax(axis=1)
    return np.stack([line[rows, part], line[rows, part + 1]], axis=1), slope[rows, part]
