"""Derivatives along one axis as kernels of few taps whose moments are right up to a stated degree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from edgepde_runtime.ops.mollified_derivative.reference import matrix
from numpy.typing import NDArray

from edgepde.mollifier.grid import Axis
from edgepde.mollifier.moments import Wide, weights
from edgepde.mollifier.peano import norm
from edgepde.mollifier.profiles import profile as shape_of
from edgepde.mollifier.windows import offsets, starts

PROFILE = "polynomial"
Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Kernel:
    """The k-th derivative along an axis, row by row, and what is known of its error.

    taps [R, W]; degree [R]: every polynomial up to it is differentiated exactly. With readings u(x_j) + e_j

      |row - u^(k)(x_i)| <= bias * max |u^(degree + 1)| + gain * max |e|,  maxima over the row's window.

    window, exact [R, W], delta, profile [R]: samples around the row and weights in units of the radius delta, extended
    precision, NaN and 0 where a row reads less than W samples. jitter: how far samples lie from where the weights think
    they are. profile: "" for whole lines.
    """

    order: int
    taps: Floats
    degree: NDArray[np.int64]
    window: Wide
    exact: Wide
    delta: Floats
    jitter: float
    profile: NDArray[np.str_]

    @property
    def width(self) -> int:
        """W."""
        return self.taps.shape[1]

    @cached_property
    def gain(self) -> Floats:
        """Sum |w| per row [R], axis' unit to the power -k: what errors of the readings become at worst."""
        return np.asarray(np.abs(self.taps).sum(1))

    @cached_property
    def spread(self) -> Floats:
        """Square root of sum w^2 per row [R]: the deviation that white noise of deviation 1 leaves."""
        return np.asarray(np.sqrt((self.taps**2).sum(1)))

    @cached_property
    def bias(self) -> Floats:
        """The L1 norm of the error's Peano kernel per row [R], from above; axis' unit to degree + 1 - k."""
        found = self._each(lambda s, w, degree: norm(s, w, degree + 1, self.order))
        return np.asarray(found * self.delta ** (self.degree + 1 - self.order))

    @cached_property
    def carry(self) -> Floats:
        """|row of u| <= carry * max |u^(k)|, per row [R]: the L1 norm of the mollifier the row averages u^(k) by."""
        return self._each(lambda s, w, _: norm(s, w, self.order))

    def matrix(self, samples: int) -> Floats:
        """The banded matrix [N, N] on a line of N samples."""
        return np.asarray(matrix(samples, self.taps))

    def _each(self, of: Callable[[Wide, Wide, int], float]) -> Floats:
        """A figure of every row; rows that mirror others have theirs."""
        found = np.empty(len(self.taps))
        for r, degree in enumerate(self.degree):
            twin = len(found) - 1 - r
            s, other = self.window[r], self.window[twin, ::-1]
            if twin < r and np.array_equal(s, -other, equal_nan=True) and degree == self.degree[twin]:
                found[r] = found[twin]
            else:
                read = ~np.isnan(s)
                found[r] = of(s[read], self.exact[r, read], int(degree))
        return found


def kernel(axis: Axis, order: int, degree: int, half: int | None = None, profile: str = PROFILE) -> Kernel:
    """Local weighted polynomial fits of `degree` on windows of 2 half + 1 samples, one-sided at the ends.

    half None: one fit of the whole line with equal weights (Legendre). Symmetric rows are exact one degree further
    where degree - order is even. InputError naming the axis where the degree is below the order, or the window too
    small for it or wider than the axis. Sources: local polynomial regression; mollifiers: arXiv 2505.11682.
    """
    width = axis.size if half is None else 2 * half + 1
    _check(axis, order, degree, width)
    if half is None:
        return _whole(axis, order, degree)
    s, eta, delta = local(axis, half, profile)
    found = _Rows(order)
    for row, w in enumerate(weights(s, eta, order, degree)[:, 0]):
        found.add(s[row], w, degree, delta[row])
    for row in reversed(range(half if axis.uniform else 0)):
        found.mirror(row)
    return found.kernel(_jitter(axis), profile)


def local(axis: Axis, half: int, profile: str) -> tuple[Wide, Wide, Floats]:
    """Samples s [R, W] of local rows, scaled to their radii, their weights eta [R, W] and the radii [R].

    R = half + 1 on a uniform axis: one-sided rows from the left and the interior one; else all N.
    """
    width = 2 * half + 1
    if axis.uniform:
        found = [offsets(np.arange(width, dtype=np.float64), row) for row in range(half + 1)]
        unit = axis.spacing
    else:
        begin = starts(axis.size, width)
        found = [offsets(axis.values[b : b + width], at) for b, at in zip(begin, axis.values, strict=True)]
        unit = 1.0
    s = np.stack([one for one, _ in found])
    return s, shape_of(profile).weight(s), unit * np.array([delta for _, delta in found])


def taps(axis: Axis, order: int, degree: int, half: int | None = None, profile: str = PROFILE) -> Floats:
    """The weights alone, [R, W]: R = W on a uniform axis, else R = N; see `kernel`."""
    return kernel(axis, order, degree, half, profile).taps


def _whole(axis: Axis, order: int, degree: int) -> Kernel:
    """Least squares of the whole line; R = W = N."""
    middle = (axis.values[0] + axis.values[-1]) / 2
    s, delta = offsets(axis.values, middle)
    found = _Rows(order)
    for place, w in zip(s, weights(s, np.ones_like(s), order, degree, s), strict=True):
        found.add(s - place, w, degree, delta)
    return found.kernel(_jitter(axis), "")


@final
class _Rows:
    """Rows of a kernel as they are found."""

    def __init__(self, order: int) -> None:
        self.order = order
        self.found: list[tuple[Wide, Wide, int, float]] = []

    def add(self, s: Wide, w: Wide, degree: int, delta: float) -> None:
        """A row; a symmetric one is made so to the last bit, and is exact one degree further where parity gives it."""
        if np.array_equal(s, -s[::-1]):
            w = (w + (-1) ** self.order * w[::-1]) / 2
            degree += (degree - self.order + 1) % 2
        self.found.append((s, w, degree, delta))

    def mirror(self, of: int) -> None:
        """The row at the other end."""
        s, w, degree, delta = self.found[of]
        self.found.append((-s[::-1], (-1) ** self.order * w[::-1], degree, delta))

    def kernel(self, jitter: float, profile: str) -> Kernel:
        """All rows side by side."""
        s, w, degree, delta = (np.array(column) for column in zip(*self.found, strict=True))
        made = np.asarray(w * delta.astype(np.longdouble)[:, None] ** -self.order, np.float64)
        return Kernel(self.order, made, degree.astype(np.int64), s, w, delta, jitter, np.full(len(s), profile))


def _jitter(axis: Axis) -> float:
    """How far samples may lie from where kernels take them to be: the roundings of values, the unevenness allowed."""
    rounding = 2.0 * float(np.spacing(np.abs(axis.values).max()))
    if not axis.uniform:
        return rounding
    even = np.linspace(axis.values[0], axis.values[-1], axis.size)
    return float(np.abs(axis.values - even).max()) + rounding


def _check(axis: Axis, order: int, degree: int, width: int) -> None:
    where = f"axis {axis.name}"
    if order < 0 or width < 1:
        raise InputError(f"{where}: expected an order and a half width >= 0, got {order} and {width // 2}")
    if width > axis.size:
        raise InputError(f"{where}: expected a window of at most its {axis.size} samples, got {width}")
    if degree < order:
        raise InputError(f"{where}: expected a degree of at least the order {order}, got {degree}")
    if degree >= width:
        raise InputError(f"{where}: degree {degree}: expected a window of {degree + 1} samples, got {width}")
