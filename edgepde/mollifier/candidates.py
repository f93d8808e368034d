"""Kernels to choose from along an axis, and what they are held against."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
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
LONG, LONGEST = 320, 1200
"""Beyond LONG samples fewer candidates are tried, beyond LONGEST none: matrices are kept whole."""
HIGHEST, SHARE = 48, 2
"""Degrees of whole lines: at most HIGHEST, and one for SHARE samples; beyond, they follow noise and ring."""
BEYOND = 2
LEAST = 3
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

    widest: the largest half width; whole lines are left out where they are longer than that. InputError for an axis of
    more than LONGEST samples.
    """
    if axis.size > LONGEST:
        raise InputError(f"axis {axis.name}: expected at most {LONGEST} samples to choose kernels for, got {axis.size}")
    room = (axis.size - 1) // 2
    top = room if widest is None else min(room, widest)
    thin = 1 + (axis.size > LONG)
    settings: list[Setting | None] = [] if order else [None]
    matrices = [np.eye(axis.size)[None]] * (not order)
    for half in _halves(top, GROWTH**thin):
        degrees = [order + more for more in STEPS[::thin] if order + more <= 2 * half]
        if degrees:
            settings += [Setting(order, degree, half, profile) for degree in degrees]
            matrices.append(_local(axis, order, degrees, half, profile))
    if axis.size <= 2 * top + 2 and axis.size > order + 1:
        highest = max(min(HIGHEST, axis.size // SHARE), order)
        degrees = list(range(order, highest + 1, thin * thin))
        settings += [Setting(order, degree, None) for degree in degrees]
        matrices.append(_lines(axis, order, degrees))
    return Candidates(tuple(settings), np.concatenate(matrices))


def _local(axis: Axis, order: int, degrees: list[int], half: int, profile: str) -> Floats:
    """Matrices [Q, N, N] of local fits of several degrees."""
    s, eta, delta = local(axis, half, profile)
    found = ladder(s, eta, order, degrees[-1])[degrees, :, 0] * delta.astype(np.longdouble)[:, None] ** -order
    own = np.asarray(found, np.float64)
    if axis.uniform:
        own = np.concatenate([own, (-1) ** order * own[:, -2::-1, ::-1]], axis=1)
    return np.stack([matrix(axis.size, one) for one in own])


def _lines(axis: Axis, order: int, degrees: list[int]) -> Floats:
    """Matrices [Q, N, N] of whole lines of several degrees."""
    s, delta = offsets(axis.values, (axis.values[0] + axis.values[-1]) / 2)
    found = ladder(s, np.ones_like(s), order, degrees[-1], s)[degrees]
    return np.asarray(found * np.longdouble(delta) ** -order, np.float64)


def pilot(lines: Floats, noise: float, own: Candidates) -> Setting | None:
    """The order-0 candidate that smooths lines [M, N] best, by Mallows' C_p = |A y - y|^2 + 2 noise^2 M tr A."""
    traces = np.einsum("qii->q", own.matrices)
    left = [np.square(lines @ one.T - lines).sum() for one in own.matrices]
    return own.settings[int(np.argmin(left + 2 * noise**2 * len(lines) * traces))]


def reference(axis: Axis, order: int, smoother: Setting | None) -> Setting:
    """A kernel of little bias to hold others against: the best smoother's, BEYOND degrees on, or the sharpest there is.

    The sharpest: an interpolating polynomial on half SHARPEST to either side.
    """
    if smoother is None:
        half = min(max(SHARPEST, (order + 2) // 2), (axis.size - 1) // 2)
        return Setting(order, max(2 * half, order), half)
    if smoother.half is None:
        return Setting(order, min(max(smoother.degree + BEYOND, order), axis.size - 1), None)
    half = min(max(smoother.half, (order + LEAST + 1) // 2), (axis.size - 1) // 2)
    return Setting(order, min(max(smoother.degree + BEYOND, order + LEAST), 2 * half), half, smoother.profile)


def _halves(top: int, growth: float) -> list[int]:
    found = [1]
    while found[-1] < top:
        found.append(min(max(found[-1] + 1, round(growth * found[-1])), top))
    return [half for half in found if half <= top]
