"""Kernels to choose from along an axis, and how far the whole line's polynomial is to go."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from edgepde_runtime.ops.mollified_derivative.reference import matrix
from numpy.typing import NDArray

from edgepde.mollifier.grid import Axis
from edgepde.mollifier.kernels import PROFILE, local
from edgepde.mollifier.moments import ladder
from edgepde.mollifier.settings import Setting
from edgepde.mollifier.windows import offsets

Floats = NDArray[np.float64]
GROWTH = 1.25
STEPS = (1, 3, 5, 7, 9)
"""Degrees beyond the order."""
HIGHEST = 48
BEYOND = 4
SHARPEST = 6
"""Half width, at most, of the sharpest kernel: an interpolating polynomial of degree 2 half."""


@final
@dataclass(frozen=True, eq=False)
class Candidates:
    """Settings of one order along an axis with their matrices [Q, N, N]; None, the identity, for order 0."""

    settings: tuple[Setting | None, ...]
    matrices: Floats

    @cached_property
    def squares(self) -> Floats:
        """Square sums of every row, [Q, N]."""
        return np.asarray(np.einsum("qij,qij->qi", self.matrices, self.matrices))


def candidates(axis: Axis, order: int, widest: int | None = None, profile: str = PROFILE) -> Candidates:
    """Local fits of growing half widths and degrees, whole lines of growing degree where nothing forbids them.

    widest: the largest half width; whole lines are left out where they are longer than that.
    """
    room = (axis.size - 1) // 2
    top = room if widest is None else min(room, widest)
    settings: list[Setting | None] = [] if order else [None]
    matrices = [np.eye(axis.size)[None]] * (not order)
    for half in _halves(top):
        degrees = [order + more for more in STEPS if order + more <= 2 * half]
        if degrees:
            settings += [Setting(order, degree, half, profile) for degree in degrees]
            matrices.append(_local(axis, order, degrees, half, profile))
    if axis.size <= 2 * top + 2 and axis.size > order + 1:
        highest = min(HIGHEST, axis.size - 2)
        settings += [Setting(order, degree, None) for degree in range(order, highest + 1)]
        matrices.append(_lines(axis, order, highest))
    return Candidates(tuple(settings), np.concatenate(matrices))


def _local(axis: Axis, order: int, degrees: list[int], half: int, profile: str) -> Floats:
    """Matrices [Q, N, N] of local fits of several degrees."""
    s, eta, delta = local(axis, half, profile)
    found = ladder(s, eta, order, degrees[-1])[degrees, :, 0] * delta.astype(np.longdouble)[:, None] ** -order
    own = np.asarray(found, np.float64)
    if axis.uniform:
        own = np.concatenate([own, (-1) ** order * own[:, -2::-1, ::-1]], axis=1)
    return np.stack([matrix(axis.size, one) for one in own])


def _lines(axis: Axis, order: int, highest: int) -> Floats:
    """Matrices [Q, N, N] of whole lines, degree by degree from the order on."""
    s, delta = offsets(axis.values, (axis.values[0] + axis.values[-1]) / 2)
    found = ladder(s, np.ones_like(s), order, highest, s)[order:]
    return np.asarray(found * np.longdouble(delta) ** -order, np.float64)


def references(axis: Axis, order: int, degree: int | None) -> tuple[Setting, ...]:
    """Kernels of little bias to hold others against: the line's polynomial a few degrees on, or the sharpest local."""
    if degree is not None:
        return (Setting(order, max(min(degree + BEYOND, axis.size - 2), order), None),)
    half = min(max(SHARPEST, (order + 2) // 2), (axis.size - 1) // 2)
    return (Setting(order, 2 * half, half),)


def line_degree(lines: Floats, axis: Axis) -> tuple[int, float]:
    """The degree of least generalised cross-validation of lines [M, N], and the deviation of what it leaves.

    GCV(p) = (RSS_p / N) / (1 - (p + 1) / N)^2, RSS summed over lines.
    """
    n = axis.size
    highest = min(HIGHEST, n - 2)
    s = 2 * (axis.values - axis.values[0]) / (axis.length or 1.0) - 1
    basis = np.linalg.qr(np.polynomial.legendre.legvander(s, highest))[0]
    used = np.arange(1, highest + 2)
    rest = lines - (lines @ basis) @ basis.T
    tail = np.cumsum(np.square(lines @ basis).sum(0)[::-1])[::-1]
    rss = np.square(rest).sum() + np.append(tail[1:], 0.0)
    degree = int(np.argmin(rss / (1 - used / n) ** 2))
    return degree, float(np.sqrt(rss[degree] / (len(lines) * (n - degree - 1))))


def _halves(top: int) -> list[int]:
    found = [1]
    while found[-1] < top:
        found.append(min(max(found[-1] + 1, round(GROWTH * found[-1])), top))
    return [half for half in found if half <= top]
