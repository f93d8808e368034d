"""Triangles of a unit plate with a disk, whose edge they follow: a hole, or an inclusion of another material."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

Array = NDArray[np.float64]
SMOOTHINGS = 8
FLAT = 1e-9
NEAR_RIM, NEAR_DISK = 0.45, 0.65


@final
@dataclass(frozen=True, eq=False)
class Triangles:
    """points [N, 2] in m, triangles [T, 3] of their numbers, in_disk [T]."""

    points: Array
    triangles: NDArray[np.int64]
    in_disk: NDArray[np.bool_]

    @property
    def shortest(self) -> float:
        """The shortest edge in m."""
        ends = self.points[self.triangles]
        return float(np.linalg.norm(ends - np.roll(ends, 1, axis=1), axis=2).min())


def plate(gap: float, x: float, y: float, radius: float, inner: float = 1.0) -> Triangles:
    """The plate [0, 1]^2 m with a disk of centre (x, y), edges about `gap` long, in the disk `inner` times that.

    A triangular lattice, rim and disk evenly divided, smoothed. The disk's polygon of m corners has the disk's area:
    its corners lie at radius * sqrt((2 pi / m) / sin(2 pi / m)), which makes the second order of the geometry's error
    vanish in area.
    """
    corners = max(8, round(2 * math.pi * radius / (inner * gap)))
    angle = 2 * math.pi / corners
    outer = radius * math.sqrt(angle / math.sin(angle))
    turns = angle * np.arange(corners)
    circle = np.array([x, y]) + outer * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    lattice = _lattice(gap)
    apart = np.hypot(*(lattice - [x, y]).T) - outer
    if inner != 1.0:
        fine = _lattice(inner * gap)
        depth = outer - np.hypot(*(fine - [x, y]).T)
        lattice = np.concatenate([lattice[apart > NEAR_DISK * gap], fine[depth > NEAR_DISK * inner * gap]])
        apart = np.full(len(lattice), gap)
    free = np.abs(apart) > NEAR_DISK * gap
    free &= (lattice.min(axis=1) > NEAR_RIM * gap) & (lattice.max(axis=1) < 1.0 - NEAR_RIM * gap)
    fixed = np.concatenate([_rim(gap), circle])
    points = np.concatenate([fixed, lattice[free]])
    for _ in range(SMOOTHINGS):
        points = _smoothed(points, _delaunay(points), len(fixed))
    triangles = _delaunay(points)
    centres = points[triangles].mean(axis=1) - [x, y]
    return Triangles(points, triangles, np.hypot(*centres.T) < outer * math.cos(angle / 2))


def _rim(gap: float) -> Array:
    """Points on the four sides, corners included, counter-clockwise."""
    along = np.linspace(0.0, 1.0, max(2, math.ceil(1.0 / gap)) + 1)[:-1]
    zero, one = np.zeros_like(along), np.ones_like(along)
    sides = ((along, zero), (one, along), (1.0 - along, one), (zero, 1.0 - along))
    return np.concatenate([np.stack(side, axis=1) for side in sides])


def _lattice(gap: float) -> Array:
    """Points of nearly equilateral triangles."""
    columns, rows = max(2, math.ceil(1.0 / gap)), max(2, round(2.0 / (gap * math.sqrt(3.0))))
    j, i = np.mgrid[1:rows, 0 : columns + 1]
    return np.stack([((i + 0.5 * (j % 2)) / columns).ravel(), (j / rows).ravel()], axis=1)


def _delaunay(points: Array) -> NDArray[np.int64]:
    """Delaunay triangles without those flat on the rim."""
    made = Delaunay(points).simplices.astype(np.int64)
    a, b, c = (points[made[:, i]] for i in range(3))
    twice = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    kept: NDArray[np.int64] = made[np.abs(twice) > FLAT]
    return kept


def _smoothed(points: Array, triangles: NDArray[np.int64], fixed: int) -> Array:
    """Every free point moved to the mean of its neighbours."""
    edges = np.unique(np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)
    total, count = np.zeros_like(points), np.zeros(len(points))
    for i, j in ((0, 1), (1, 0)):
        np.add.at(total, edges[:, i], points[edges[:, j]])
        np.add.at(count, edges[:, i], 1)
    made = points.copy()
    made[fixed:] = total[fixed:] / count[fixed:, None]
    return made
