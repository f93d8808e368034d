"""Derivatives of scattered readings by moving least squares: one sparse matrix, row by row a local fit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from edgepde.mollifier.kernels import PROFILE
from edgepde.mollifier.profiles import profile as shape_of

Floats = NDArray[np.float64]
SPARE = 1.5
"""Neighbours per coefficient of the polynomial, by default."""
WORST = 1e9
"""Condition number up to which a local fit is trusted."""
BEYOND = 1.1
"""The radius, in distances to the farthest neighbour."""


@final
@dataclass(frozen=True, eq=False)
class Scattered:
    """Matrices from readings [M] to a derivative at targets [T].

    |row - D^k u| <= bias * max |d^(degree + 1) u| + gain * max |e|, the maximum of directional derivatives of that
    order over all directions, on the segments from the target to its neighbours; spread: of white noise of deviation 1.
    """

    matrix: csr_array
    degree: int
    bias: Floats
    gain: Floats
    spread: Floats

    def apply(self, readings: ArrayLike) -> Floats:
        """Readings [.., M] to the derivative [.., T]. InputError for a wrong size or readings that are not finite."""
        values = np.asarray(readings, np.float64)
        if values.ndim < 1 or values.shape[-1] != self.matrix.shape[1] or not np.isfinite(values).all():
            raise InputError(f"readings: expected {self.matrix.shape[1]} finite values, got shape {list(values.shape)}")
        return np.asarray((self.matrix @ values.reshape(-1, values.shape[-1]).T).T.reshape(*values.shape[:-1], -1))


def scattered(
    points: ArrayLike,
    targets: ArrayLike,
    orders: tuple[int, ...],
    degree: int,
    neighbours: int | None = None,
    radius: float | None = None,
    profile: str = PROFILE,
) -> Scattered:
    """D^orders at targets [T, d] from readings at points [M, d], by weighted fits of total degree <= `degree`.

    A row reads the nearest `neighbours`, by default SPARE times the coefficients, or all points within `radius`. Leave
    out the points of missing readings. InputError naming the target where the neighbours are too few, or do not
    determine the polynomial (on a line, say). Source: Levin, The approximation power of moving least squares (1998).
    """
    known, wanted = _points(points, "points"), _points(targets, "targets")
    d = known.shape[1]
    if wanted.shape[1] != d or len(orders) != d:
        raise InputError(f"targets and orders: expected {d} coordinates, got {wanted.shape[1]} and {len(orders)}")
    powers = [p for p in product(range(degree + 1), repeat=d) if sum(p) <= degree]
    if min(orders) < 0 or tuple(orders) not in powers:
        raise InputError(f"degree: expected at least the order of {orders}, got {degree}")
    tree = cKDTree(known)
    rows, bias = [], []
    for t, target in enumerate(wanted):
        near = _near(tree, target, len(powers), neighbours, radius, t)
        w, reach = _fit(known[near] - target, powers, tuple(orders), profile, t)
        rows.append((near, w))
        bias.append(float(np.abs(w) @ reach ** (degree + 1)) / math.factorial(degree + 1))
    where = np.repeat(np.arange(len(rows)), [len(near) for near, _ in rows])
    columns, taps = (np.concatenate([row[i] for row in rows]) for i in (0, 1))
    matrix = csr_array((taps, (where, columns)), shape=(len(wanted), len(known)))
    gains = np.array([np.abs(w).sum() for _, w in rows])
    return Scattered(matrix, degree, np.array(bias), gains, np.array([np.sqrt((w**2).sum()) for _, w in rows]))


def _points(given: ArrayLike, name: str) -> Floats:
    made = np.asarray(given, np.float64)
    if made.ndim != 2 or not made.size or not np.isfinite(made).all():
        raise InputError(f"{name}: expected finite places [M, d], got shape {list(made.shape)}")
    return made


def _near(
    tree: cKDTree, target: Floats, least: int, neighbours: int | None, radius: float | None, t: int
) -> NDArray[np.int64]:
    if radius is not None:
        near = np.array(sorted(tree.query_ball_point(target, radius)), np.int64)
    else:
        count = min(math.ceil(SPARE * least) if neighbours is None else neighbours, tree.n)
        near = np.sort(np.atleast_1d(tree.query(target, count)[1])).astype(np.int64)
    if len(near) < least:
        raise InputError(f"target {t}: expected at least {least} neighbours, got {len(near)}")
    return near


def _fit(
    apart: Floats, powers: list[tuple[int, ...]], orders: tuple[int, ...], profile: str, t: int
) -> tuple[Floats, Floats]:
    """Taps of one row and the distances of its neighbours."""
    reach = np.sqrt((apart**2).sum(1))
    scale = BEYOND * float(reach.max()) or 1.0
    s = apart / scale
    root = np.sqrt(np.asarray(shape_of(profile).weight((reach / scale).astype(np.longdouble)), np.float64))
    basis = root[:, None] * np.stack([np.prod(s ** np.array(p), axis=1) for p in powers], axis=1)
    left, sizes, right = np.linalg.svd(basis, full_matrices=False)
    if not sizes[-1] * WORST > sizes[0]:
        raise InputError(f"target {t}: expected neighbours that determine a polynomial, got ones that do not")
    unit = right[:, powers.index(orders)] / sizes
    w = root * (left @ unit) * math.prod(math.factorial(k) for k in orders) * scale ** -sum(orders)
    return np.asarray(w), reach
