"""Readings on a grid fitted by products of functions along the axes; how many is chosen by cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, cg

from ..grid import Axis, Grid
from ..names import TIME
from .bases import Basis, cosines, polynomials, splines, windows
from .statement import Boundary

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
MORE = 1.2
DEGREES = (4, 6)
"""Of local windows, which are for edges where nothing is known."""
SHORT = 48
"""Axes of time of up to so many samples are fitted by polynomials, longer ones by splines."""


@final
@dataclass(frozen=True, eq=False)
class Smoothed:
    """A fit: coefficients [p_1..p_d] in bases, sigma: noise by what is left; read: where readings are."""

    bases: tuple[Basis, ...]
    coefficients: Array
    sigma: float
    read: Mask

    def derivative(self, orders: Sequence[int]) -> Array:
        """The fit's derivative at all samples [n_1..n_d]."""
        return along(self.coefficients, [basis.synthesis(k) for basis, k in zip(self.bases, orders, strict=True)])

    @cached_property
    def description(self) -> str:
        """What was chosen."""
        return " x ".join(f"{b.count} {b.name}" if b.nested else b.name for b in self.bases)


def smooth(
    values: Array,
    grid: Grid,
    boundary: Boundary,
    among: Sequence[Sequence[Basis]] | None = None,
    noise: float | None = None,
) -> Smoothed:
    """Least squares of the readings [n_1..n_d] that are not NaN, bases and sizes by generalised cross-validation.

    among: what to choose from, per axis; by default `families`. One axis after the other until none changes.
    noise: the readings' standard deviation where it is known.
    GCV = n rss / (n - p)^2 (Craven and Wahba 1979). InputError where there are too few readings.
    """
    read = np.isfinite(values)
    if read.sum() < max(8, 2 ** (len(grid.axes) + 1)):
        raise InputError(f"readings: expected {2 ** (len(grid.axes) + 1)} numbers or more, got {int(read.sum())}")
    known = [families(axis, boundary) for axis in grid.axes] if among is None else among
    at = [len(choices) // 2 for choices in known]
    tried: dict[tuple[int, ...], tuple[float, tuple[Basis, ...], Array]] = {}

    def score(indices: tuple[int, ...]) -> float:
        if indices not in tried:
            bases = tuple(choices[i] for choices, i in zip(known, indices, strict=True))
            tried[indices] = _complete(values, bases) if read.all() else _sparse(values, read, bases)
        return tried[indices][0]

    before: list[int] = []
    while before != at:
        before = list(at)
        for axis, choices in enumerate(known):
            at[axis] = min(range(len(choices)), key=lambda i, a=axis: score((*at[:a], i, *at[a + 1 :])))  # type: ignore[misc]
    score(tuple(at))
    _, chosen, found = tried[tuple(at)]
    if noise is not None:
        return Smoothed(chosen, found, noise, read)
    freedom = float(np.prod([basis.trace for basis in chosen]))
    fit = along(found, [basis.synthesis(0) for basis in chosen])
    rss = float(((values - fit)[read] ** 2).sum())
    return Smoothed(chosen, found, float(np.sqrt(rss / max(1.0, read.sum() - freedom))), read)


def families(axis: Axis, boundary: Boundary) -> list[Basis]:
    """What an axis may be fitted with: its boundary's functions, else windows; InputError where it is too short."""
    n = axis.size
    if axis.name == TIME:
        if n > SHORT:
            return [splines(axis, count) for count in range(8, n // 2, max(1, n // 40))]
        return [polynomials(axis, max(2, min(11, n - 3)))]
    if boundary == "zero-flux":
        return [cosines(axis, max(3, 2 * n // 3))]
    if boundary == "zero":
        return [polynomials(axis, max(3, min(round(2.0 * n**0.5), n - 3)), pinned=True)]
    room = (n - 1) // 2
    if room < DEGREES[0] - 1:
        least = 2 * DEGREES[0] - 1
        raise InputError(f"readings: axis {axis.name}: expected {least} samples where no edge is known, got {n}")
    return [windows(axis, degree, half) for degree in DEGREES for half in range(degree - 1, min(2 * degree, room) + 1)]


def along(x: Array, matrices: Sequence[Array]) -> Array:
    """x [p_1..p_d] times a matrix [n_a, p_a] along every axis: [n_1..n_d]."""
    for axis, matrix in enumerate(matrices):
        x = np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis)
    return np.ascontiguousarray(x)


def _complete(values: Array, bases: tuple[Basis, ...]) -> tuple[float, tuple[Basis, ...], Array]:
    """Readings everywhere: nested bases are cut where GCV is least, by running sums of squared coefficients."""
    q = along(values, [basis.analysis.T for basis in bases])
    n = values.size
    if not all(basis.nested or basis.name == "spline" for basis in bases):
        fit = along(q, [basis.synthesis(0) for basis in bases])
        p = float(np.prod([basis.trace for basis in bases]))
        return _gcv(float(((values - fit) ** 2).sum()), n, p), bases, q
    energy, freedom = q**2, np.ones(())
    for axis, basis in enumerate(bases):
        energy = energy.cumsum(axis)
        freedom = np.multiply.outer(freedom, np.arange(1.0, basis.count + 1))
    score = n * ((values**2).sum() - energy) / np.maximum(n - freedom, 1.0) ** 2
    for axis, basis in enumerate(bases):
        least = 2 if basis.nested else basis.count - 1
        score[(slice(None),) * axis + (slice(0, least),)] = np.inf
    at = np.unravel_index(int(score.argmin()), score.shape)
    sizes = [_more(int(i) + 1, basis) for i, basis in zip(at, bases, strict=True)]
    cut = tuple(basis.first(size) for basis, size in zip(bases, sizes, strict=True))
    return float(score[at]), cut, q[tuple(slice(0, size) for size in sizes)].copy()


def _more(count: int, basis: Basis) -> int:
    """A little beyond what the field itself asks for: its derivatives need it, and the regression knows their noise."""
    if not basis.nested:
        return count
    return min(basis.count, count + 1 if basis.name == "polynomial" else round(MORE * count))


def _sparse(values: Array, read: Mask, bases: tuple[Basis, ...]) -> tuple[float, tuple[Basis, ...], Array]:
    """Readings missing: sizes by descent, one axis after the other; each fit by conjugate gradients."""
    sizes = [max(2, basis.count // 2) if basis.nested else basis.count for basis in bases]
    known: dict[tuple[int, ...], tuple[float, tuple[Basis, ...], Array]] = {}

    def tried(at: tuple[int, ...]) -> tuple[float, tuple[Basis, ...], Array]:
        if at not in known:
            cut = tuple(b.first(k) if b.nested else b for b, k in zip(bases, at, strict=True))
            known[at] = _fit(values, read, cut)
        return known[at]

    best, step = tried(tuple(sizes)), 4
    while step:
        moved = False
        for axis, basis in enumerate(bases):
            for move in (-step, step) if basis.nested else ():
                at = list(sizes)
                at[axis] = min(max(2, at[axis] + move), basis.count)
                found = tried(tuple(at))
                if found[0] < best[0]:
                    best, sizes, moved = found, at, True
        step = step if moved else step // 2
    return best


def _fit(values: Array, read: Mask, bases: tuple[Basis, ...]) -> tuple[float, tuple[Basis, ...], Array]:
    n, p = int(read.sum()), float(np.prod([basis.trace for basis in bases]))
    up = [basis.synthesis(0) for basis in bases]
    down = [basis.analysis.T for basis in bases]
    held = np.where(read, values, 0.0)
    shape = tuple(basis.count for basis in bases)
    if all(basis.nested or basis.name == "spline" for basis in bases):
        found = _solved(lambda c: along(read * along(c, up), down), along(held, down), shape)
    else:
        found = along(_filled(held, read, lambda v: along(along(v, down), up)), down)
    fit = along(found, up)
    return _gcv(float(((held - fit)[read] ** 2).sum()), n, p), bases, found


def _solved(normal: Callable[[Array], Array], right: Array, shape: tuple[int, ...]) -> Array:
    size = right.size
    operator = LinearOperator((size, size), lambda c: normal(c.reshape(shape)).ravel(), dtype=np.float64)
    found, _ = cg(operator, right.ravel(), rtol=1e-6, maxiter=200)
    return np.asarray(found).reshape(shape)


def _filled(held: Array, read: Mask, smoothing: Callable[[Array], Array]) -> Array:
    """Readings with the fit where there were none."""
    found = np.where(read, held, held[read].mean())
    for _ in range(30):
        found = np.where(read, held, smoothing(found))
    return found


def _gcv(rss: float, n: int, p: float) -> float:
    return n * rss / (n - p) ** 2 if p < 0.9 * n else np.inf
