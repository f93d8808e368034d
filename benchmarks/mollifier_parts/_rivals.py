"""Other derivatives of noisy fields on a grid, tuned on the answer where they have no rule of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from edgepde.mollifier.candidates import Candidates, candidates
from edgepde.mollifier.grid import Axis, Grid
from edgepde.mollifier.kernels import kernel
from edgepde.mollifier.names import Index, combination
from mollifier_parts._fields import Field

Floats = NDArray[np.float64]
SWEEPS = 3
POLYNOMIALS = (3, 5, 7, 9)


def savitzky_golay(y: Floats, grid: Grid, name: str, exact: Floats, band: int) -> Floats:
    """scipy's filter, window, degree and smoothing along the other axis of least interior error."""
    best: tuple[float, Floats] | None = None
    for smooth in (False, True):
        for degree in POLYNOMIALS:
            for window in range(degree + 2, min(grid.shape) + 1, 2):
                found = _summed(name, grid, _filter(y, grid, window, degree, smooth))
                if found is not None and (best is None or _interior(found, exact, band) < best[0]):
                    best = _interior(found, exact, band), found
    assert best is not None
    return best[1]


def _filter(y: Floats, grid: Grid, window: int, degree: int, smooth: bool) -> Callable[[Index], Floats | None]:
    def apply(orders: Index) -> Floats | None:
        found = y
        for a, k in enumerate(orders):
            if k > degree:
                return None
            if k or smooth:
                found = savgol_filter(found, window, degree, deriv=k, delta=grid.axes[a].spacing, axis=a, mode="interp")
        return found

    return apply


def legendre(y: Floats, grid: Grid, name: str) -> Floats:
    """One polynomial for the field, its degrees along the axes by generalised cross-validation."""
    bases = [_basis(axis) for axis in grid.axes]
    shares = bases[0].T @ y @ bases[1]
    rest = np.square(y - bases[0] @ shares @ bases[1].T).sum()
    beyond = _beyond(np.square(shares))
    used = np.outer(*(np.arange(1, n + 1) for n in shares.shape))
    degrees = np.unravel_index(int(np.argmin((rest + beyond) / (1 - used / y.size) ** 2)), shares.shape)

    def apply(orders: Index) -> Floats:
        own = [kernel(a, k, max(int(p), k)).matrix(a.size) for a, k, p in zip(grid.axes, orders, degrees, strict=True)]
        return np.asarray(own[0] @ y @ own[1].T)

    found = _summed(name, grid, apply)
    assert found is not None
    return found


def _beyond(squares: Floats) -> Floats:
    """For every p, q the sum over i > p or j > q, of positive terms only."""
    below = np.cumsum(squares.sum(1)[::-1])[::-1]
    right = np.cumsum(np.cumsum(squares[:, ::-1], 1)[:, ::-1], 0)
    return np.asarray(np.append(below[1:], 0.0)[:, None] + np.pad(right[:, 1:], ((0, 0), (0, 1))))


def _basis(axis: Axis) -> Floats:
    s = 2 * (axis.values - axis.values[0]) / axis.length - 1
    return np.linalg.qr(np.polynomial.legendre.legvander(s, min(30, axis.size - 2)))[0]


def best(y: Floats, grid: Grid, name: str, case: Field, band: int) -> Floats:
    """For each product the candidates of least interior error, axis after axis, the product's own values known."""

    def apply(orders: Index) -> Floats:
        sets = [_candidates(axis, k) for axis, k in zip(grid.axes, orders, strict=True)]
        chosen = [own.matrices[-1 - len(own.matrices) // 4] for own in sets]
        exact = case.product(grid, orders)
        for _ in range(SWEEPS):
            for a in (0, 1):
                other = y @ chosen[1].T if a == 0 else (chosen[0] @ y).T
                wanted = exact if a == 0 else exact.T
                off = [_interior(one @ other, wanted, band) for one in sets[a].matrices]
                chosen[a] = sets[a].matrices[int(np.argmin(off))]
        return np.asarray(chosen[0] @ y @ chosen[1].T)

    found = _summed(name, grid, apply)
    assert found is not None
    return found


@cache
def _candidates(axis: Axis, order: int) -> Candidates:
    return candidates(axis, order)


def _summed(name: str, grid: Grid, of: Callable[[Index], Floats | None]) -> Floats | None:
    parts = [(c, of(orders)) for c, orders in combination(name, grid.letters)]
    if any(part is None for _, part in parts):
        return None
    return np.asarray(sum(c * part for c, part in parts if part is not None))


def _interior(found: Floats, exact: Floats, band: int) -> float:
    inner = (slice(band, -band),) * 2
    return float(np.square(found[inner] - exact[inner]).mean())
