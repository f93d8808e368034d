"""Derivatives along one axis as kernels of few taps whose moments are right up to a stated degree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from edgepde.mollifier.grid import Axis
from edgepde.mollifier.moments import weights
from edgepde.mollifier.peano import norm
from edgepde.mollifier.profiles import profile as shape_of
from edgepde.mollifier.windows import offsets, rows, starts

PROFILE = "polynomial"
Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Kernel:
    """The k-th derivative along an axis, row by row, and what is known of its error.

    taps [R, W]; degree [R]: every polynomial up to it is differentiated exactly. With readings u(x_j) + e_j

      |row - u^(k)(x_i)| <= bias * max |u^(degree + 1)| + gain * max |e|,  maxima over the row's window,

    gain = sum |w|; spread = sqrt(sum w^2) is the standard deviation that white noise of deviation 1 leaves;
    |row of u| <= carry * max |u^(k)|. Units: of the axis to the power -k for gain and spread.
    """

    order: int
    taps: Floats
    degree: NDArray[np.int64]
    bias: Floats
    gain: Floats
    spread: Floats
    carry: Floats

    @property
    def width(self) -> int:
        """W."""
        return self.taps.shape[1]

    def matrix(self, samples: int) -> Floats:
        """The banded matrix [N, N] on a line of N samples."""
        return banded(self.taps, samples)


def kernel(
    axis: Axis, order: int, degree: int, half: int | None = None, profile: str = PROFILE, edge: int | None = None
) -> Kernel:
    """Local weighted polynomial fits of `degree` on windows of 2 half + 1 samples, one-sided at the ends.

    half None: one fit of the whole line with equal weights (Legendre). edge: the degree of one-sided rows, if another.
    InputError naming the axis where the degree is below the order, or the window too small for it or wider than the
    axis. Source: moment conditions of local polynomial regression; mollifiers: arXiv 2505.11682.
    """
    n = axis.size
    width = n if half is None else 2 * half + 1
    inner, outer = degree, degree if edge is None else edge
    _check(axis, order, (inner, outer), width)
    eta = None if half is None else shape_of(profile)
    shared = axis.uniform and width <= n
    places: Floats = axis.spacing * np.arange(width) if shared else axis.values
    count = width if shared else n
    begin = np.zeros(count, np.int64) if shared else starts(n, width)
    made = []
    for row in range(count):
        centred = width % 2 == 1 and row - begin[row] == width // 2 and half is not None
        window = places[begin[row] : begin[row] + width]
        made.append(_row(window, places[row], order, inner if centred or half is None else outer, eta, shared))
    columns = [np.array(column) for column in zip(*made, strict=True)]
    return Kernel(order, columns[0], columns[1].astype(np.int64), *columns[2:])


def taps(
    axis: Axis, order: int, degree: int, half: int | None = None, profile: str = PROFILE, edge: int | None = None
) -> Floats:
    """The weights alone, [R, W]: R = W on a uniform axis, else R = N; see `kernel`."""
    return kernel(axis, order, degree, half, profile, edge).taps


def banded(weights: Floats, samples: int) -> Floats:
    """Taps [R, W] as a matrix [N, N]: row i reads columns start_i .. start_i + W - 1."""
    count, width = weights.shape
    begin = starts(samples, width)
    full = np.zeros((samples, samples))
    full[np.arange(samples)[:, None], begin[:, None] + np.arange(width)] = weights[rows(samples, width, count)]
    return full


def _row(window: Floats, at: float, order: int, degree: int, eta: object, shared: bool) -> tuple[object, ...]:
    """Taps and statements of one row; symmetric windows of even degree - order are exact one degree further."""
    s, delta = offsets(window, at)
    w = weights(s, np.ones_like(s) if eta is None else eta.weight(s), order, degree)  # type: ignore[attr-defined]
    if shared and (degree - order) % 2 == 0 and np.array_equal(s, -s[::-1]):
        w = (w + (-1) ** order * w[::-1]) / 2
        degree += 1
    scale = np.longdouble(delta) ** -order
    bias = norm(s, w, degree + 1, order) * delta ** (degree + 1 - order)
    found = np.asarray(w * scale, np.float64)
    return (found, degree, bias, np.abs(found).sum(), np.sqrt((found**2).sum()), norm(s, w, order))


def _check(axis: Axis, order: int, degrees: tuple[int, int], width: int) -> None:
    where = f"axis {axis.name}"
    if order < 0 or width < 1:
        raise InputError(f"{where}: expected an order and a half width >= 0, got {order} and {width // 2}")
    if width > axis.size:
        raise InputError(f"{where}: expected a window of at most its {axis.size} samples, got {width}")
    for degree in degrees:
        if degree < order:
            raise InputError(f"{where}: expected a degree of at least the order {order}, got {degree}")
        if degree >= width:
            raise InputError(
                f"{where}: degree {degree}: expected a window of {degree + 1} samples or more, got {width}"
            )
