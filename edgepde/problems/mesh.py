"""Triangular meshes of the plane: a plate with a hole, unstructured, or a user's file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay
from scipy.stats import qmc

from edgepde.errors import ProblemError

Array = NDArray[np.float64]
SIDE = 0.1
FILLING = 0.55
ON_EDGE = 1e-9 * SIDE
THINNEST = 1e-10
SMOOTHINGS = 3


@final
@dataclass(frozen=True, eq=False)
class Mesh:
    """points [N, 2] in m, triangles [T, 3] of their numbers, each used at least once.

    Raises ProblemError naming what is wrong: a point that is not finite or not used, a number without a point, a
    triangle without area, no point inside.
    """

    points: Array
    triangles: NDArray[np.int64]

    def __post_init__(self) -> None:
        points, triangles = np.asarray(self.points, dtype=np.float64), np.asarray(self.triangles, dtype=np.int64)
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "triangles", triangles)
        if points.ndim != 2 or points.shape[1] != 2 or triangles.ndim != 2 or triangles.shape[1] != 3:
            raise ProblemError(
                f"mesh: expected points [N, 2] and triangles [T, 3], got {list(points.shape)} and "
                f"{list(triangles.shape)}"
            )
        if not np.isfinite(points).all():
            raise ProblemError(
                f"mesh: point {int(np.argmin(np.isfinite(points).all(axis=1)))}: expected finite numbers"
            )
        if not triangles.size or not 0 <= triangles.min() <= triangles.max() < len(points):
            raise ProblemError(f"mesh: triangles: expected numbers of points 0 .. {len(points) - 1}")
        unused = np.setdiff1d(np.arange(len(points)), triangles)
        if unused.size:
            raise ProblemError(f"mesh: point {unused[0]}: expected in a triangle, {unused.size} points are in none")
        flat = np.flatnonzero(np.abs(self.areas) <= THINNEST * np.ptp(points, axis=0).max() ** 2)
        if flat.size:
            raise ProblemError(f"mesh: triangle {flat[0]}: expected an area, {flat.size} triangles have none")

    @cached_property
    def areas(self) -> Array:
        """Signed areas [T] in m^2."""
        a, b, c = (self.points[self.triangles[:, i]] for i in range(3))
        made: Array = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
        return made

    @property
    def centres(self) -> Array:
        """The triangles' centres of gravity [T, 2]."""
        made: Array = self.points[self.triangles].mean(axis=1)
        return made

    @cached_property
    def inside(self) -> NDArray[np.int64]:
        """The numbers [n] of the points that are on no edge of one triangle alone."""
        edges = np.sort(self.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        found, count = np.unique(edges, axis=0, return_counts=True)
        return np.setdiff1d(np.arange(len(self.points)), found[count == 1])


@final
@dataclass(frozen=True)
class Disk:
    """A disk in the plane, lengths in m."""

    x: float
    y: float
    radius: float

    def distance(self, points: Array) -> Array:
        """From its edge [n], negative inside."""
        made: Array = np.hypot(points[:, 0] - self.x, points[:, 1] - self.y) - self.radius
        return made

    def circle(self, gap: float) -> Array:
        """Points on its edge, about `gap` apart and at least 8."""
        angle = np.linspace(0.0, 2 * math.pi, max(8, round(2 * math.pi * self.radius / gap)) + 1)[:-1]
        return np.array([self.x, self.y]) + self.radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


HOLE, INCLUSION = Disk(0.065, 0.06, 0.015), Disk(0.03, 0.03, 0.015)


def plate(nodes: int, seed: int = 0) -> Mesh:
    """A square of 0.1 m with a round hole, at least `nodes` points inside: Poisson disks, then Delaunay, smoothed.

    Points on the rim, the hole and the inclusion's edge are evenly spaced. Raises ProblemError for fewer than 16 nodes.
    """
    if nodes < 16:
        raise ProblemError(f"nodes: expected at least 16, got {nodes}")
    gap = math.sqrt(FILLING * (SIDE**2 - math.pi * HOLE.radius**2) / nodes)
    while True:
        mesh = _plate(gap, np.random.default_rng(seed))
        if len(mesh.inside) >= nodes:
            return mesh
        gap *= 0.995 * math.sqrt(len(mesh.inside) / nodes)


def _plate(gap: float, rng: np.random.Generator) -> Mesh:
    """As plate(), with points about `gap` apart."""
    fixed = np.concatenate([_rim(gap), HOLE.circle(gap), INCLUSION.circle(gap)])
    drawn = qmc.PoissonDisk(2, radius=gap / SIDE, rng=rng).fill_space() * SIDE
    free = (HOLE.distance(drawn) > 0.7 * gap) & (np.abs(INCLUSION.distance(drawn)) > 0.7 * gap)
    free &= (drawn.min(axis=1) > 0.7 * gap) & (drawn.max(axis=1) < SIDE - 0.7 * gap)
    points = np.concatenate([fixed, drawn[free]])
    for _ in range(SMOOTHINGS):
        points = _smoothed(points, _triangles(points), len(fixed))
    return Mesh(points, _triangles(points))


def read_mesh(path: Path) -> tuple[Mesh, Array | None]:
    """The triangles of a mesh file (.msh, .vtu, .vtk, .obj, .xdmf ...) and its cell data `k` [T] in W/(m K), if any.

    Points of no triangle are left out. Raises ProblemError naming the file where it cannot be read, is not plane or
    has no triangles.
    """
    import meshio

    if not path.is_file():
        raise ProblemError(f"{path}: expected a mesh file, there is none")
    try:
        held = meshio.read(path)
    except (Exception, SystemExit) as error:
        raise ProblemError(f"{path}: cannot be read as a mesh: {_why(error)}") from None
    kinds = [block.type for block in held.cells]
    if "triangle" not in kinds:
        raise ProblemError(f"{path}: expected triangles, got {', '.join(sorted(set(kinds))) or 'no cells'}")
    parts = [i for i, kind in enumerate(kinds) if kind == "triangle"]
    triangles = np.concatenate([held.cells[i].data for i in parts]).astype(np.int64)
    k = held.cell_data.get("k")
    conductivity = np.concatenate([np.asarray(k[i], dtype=np.float64).reshape(-1) for i in parts]) if k else None
    return _of_file(path, np.asarray(held.points, dtype=np.float64), triangles), conductivity


def write_mesh(path: Path, mesh: Mesh, k: Array | None = None) -> None:
    """The mesh as a file of the kind its suffix says; k [T] becomes its cell data `k`."""
    import meshio

    points = np.column_stack([mesh.points, np.zeros(len(mesh.points))])
    data: dict[str, Any] = {} if k is None else {"k": [k]}
    meshio.Mesh(points, [("triangle", mesh.triangles)], cell_data=data).write(path)


def _why(error: BaseException) -> str:
    """What a reader that gave up says; one that asks Python to exit says nothing of use."""
    return "its reader gave up" if isinstance(error, SystemExit) else str(error) or type(error).__name__


def _of_file(path: Path, points: Array, triangles: NDArray[np.int64]) -> Mesh:
    if points.ndim != 2 or points.shape[1] not in (2, 3) or not len(points):
        raise ProblemError(f"{path}: expected points [N, 2], got {list(points.shape)}")
    if points.shape[1] == 3 and np.ptp(points[:, 2]) > 0:
        raise ProblemError(f"{path}: expected a plane mesh, z goes from {points[:, 2].min()} to {points[:, 2].max()}")
    used, renumbered = np.unique(triangles, return_inverse=True)
    if used.size and not 0 <= used[0] <= used[-1] < len(points):
        raise ProblemError(f"{path}: triangles: expected numbers of points 0 .. {len(points) - 1}")
    try:
        return Mesh(points[used, :2], renumbered.reshape(triangles.shape))
    except ProblemError as error:
        raise ProblemError(f"{path}: {error}") from None


def _rim(gap: float) -> Array:
    """Points on the sides of the square, corners included."""
    along = np.linspace(0.0, SIDE, max(3, round(SIDE / gap)) + 1)[:-1]
    zero, side = np.zeros_like(along), np.full_like(along, SIDE)
    return np.concatenate(
        [np.stack(pair, axis=1) for pair in ((along, zero), (side, along), (SIDE - along, side), (zero, SIDE - along))]
    )


def _triangles(points: Array) -> NDArray[np.int64]:
    """Delaunay triangles that are neither in the hole nor flat on the rim."""
    made = Delaunay(points).simplices.astype(np.int64)
    a, b, c = (points[made[:, i]] for i in range(3))
    twice = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    in_hole = (np.abs(HOLE.distance(points)) <= ON_EDGE)[made].all(axis=1)
    kept: NDArray[np.int64] = made[~in_hole & (np.abs(twice) > ON_EDGE * SIDE)]
    return kept


def _smoothed(points: Array, triangles: NDArray[np.int64], fixed: int) -> Array:
    """Every free point moved half way to the mean of its neighbours."""
    edges = triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    total, count = np.zeros_like(points), np.zeros(len(points))
    for i, j in ((0, 1), (1, 0)):
        np.add.at(total, edges[:, i], points[edges[:, j]])
        np.add.at(count, edges[:, i], 1)
    made = points.copy()
    made[fixed:] = (points[fixed:] + total[fixed:] / count[fixed:, None]) / 2
    return made
