"""Heat with a diffusivity that varies: u_t = lambda(y, x) Lap u + 2 u (1 - u) on a square with insulated edges.

Explicit Runge-Kutta of order 4 in time and the five-point Laplacian on a fine grid: O(h^2 + dt^4). The second form is
stationary: 0 = lambda Lap u + m(y, x) with u = 0 at the edges (arXiv 2505.11682, the 2-D heat problem).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dstn, idstn

from edgepde.errors import SettingError

from .inverse_case import Case, bumps, check_fine, check_range, check_sizes, read, square_in_time, wave_and_bump

Array = NDArray[np.float64]
STABLE = 2.6 / 8.0  # of Runge-Kutta 4 on the five-point Laplacian: dt <= 2.78 h^2 / (8 lambda)


@final
@dataclass(frozen=True)
class HeatField:
    """Readings of u on points x points places and frames times, lambda and first field drawn by seed.

    horizon: the last time. low, high: the range of lambda. bumps: of the first field. fine: points
    per edge of the reference's grid, of which every (fine - 1) / (points - 1)-th is read. noise: a fraction of the
    field's standard deviation. missing: the fraction of readings that are NaN.
    """

    points: int = 41
    frames: int = 16
    horizon: float = 0.5
    low: float = 0.0048
    high: float = 0.0192
    bumps: int = 24
    fine: int = 161
    noise: float = 0.01
    missing: float = 0.0

    def __post_init__(self) -> None:
        check_sizes(self.points, self.frames, self.noise, self.missing)
        check_range("low, high", self.low, self.high)
        if not 0.0 < self.horizon < math.inf:
            raise SettingError(f"horizon: expected a positive time, got {self.horizon:g}")
        if not 1 <= self.bumps <= 256:
            raise SettingError(f"bumps: expected 1 .. 256, got {self.bumps}")
        check_fine(self.points, self.fine)

    @property
    def axes(self) -> dict[str, Array]:
        """t, y and x."""
        return square_in_time(self.points, self.frames, self.horizon)

    def case(self, seed: int, noise_seed: int | None = None) -> Case:
        """lambda, first field and readings of a seed; noise_seed: another draw of the noise alone."""
        lam = wave_and_bump(self.fine, self.low, self.high, seed)
        first = bumps(self.fine, self.bumps, 0.05, 0.95, seed)
        every = (self.fine - 1) // (self.points - 1)
        field = evolve(first, lam, self.axes["t"])[:, ::every, ::every].copy()
        readings, sigma = read(field, self.noise, self.missing, seed if noise_seed is None else noise_seed)
        return Case(self.axes, lam[::every, ::every].copy(), field, readings, sigma)


@final
@dataclass(frozen=True)
class StationaryHeat:
    """Readings of u with 0 = lambda Lap u + m, u = 0 at the edges, m = 1 + sin(pi y) sin(pi x); sparse by default."""

    points: int = 41
    low: float = 0.5
    high: float = 2.0
    fine: int = 161
    noise: float = 0.01
    missing: float = 0.5

    def __post_init__(self) -> None:
        check_sizes(self.points, 2, self.noise, self.missing)
        check_range("low, high", self.low, self.high)
        check_fine(self.points, self.fine)

    @property
    def axes(self) -> dict[str, Array]:
        """y and x."""
        edge = np.linspace(0.0, 1.0, self.points)
        return {"y": edge, "x": edge}

    def case(self, seed: int, noise_seed: int | None = None) -> Case:
        """lambda and readings of a seed; noise_seed: another draw of noise and places alone."""
        lam = wave_and_bump(self.fine, self.low, self.high, seed)
        edge = np.linspace(0.0, 1.0, self.fine)
        field = np.zeros((self.fine, self.fine))
        field[1:-1, 1:-1] = _poisson((supply(edge[:, None], edge) / lam)[1:-1, 1:-1])
        every = (self.fine - 1) // (self.points - 1)
        field, lam = field[::every, ::every].copy(), lam[::every, ::every].copy()
        readings, sigma = read(field, self.noise, self.missing, seed if noise_seed is None else noise_seed)
        return Case(self.axes, lam, field, readings, sigma)


def supply(y: Array, x: Array) -> Array:
    """m(y, x) = 1 + sin(pi y) sin(pi x), the known source of the stationary problem."""
    made: Array = 1.0 + np.sin(np.pi * y) * np.sin(np.pi * x)
    return made


def evolve(first: Array, lam: Array, times: Array) -> Array:
    """u [T, n, n] at the times, from u [n, n] at times[0], on the unit square with zero flux."""
    h = 1.0 / (len(first) - 1)
    frames, u = [first], first
    for start, end in pairwise(times):
        steps = math.ceil((end - start) / (STABLE * h * h / float(lam.max())))
        dt = (end - start) / steps
        for _ in range(steps):
            u = _step(u, lam / (h * h), dt)
        frames.append(u)
    return np.stack(frames)


def _step(u: Array, scaled: Array, dt: float) -> Array:
    k1 = _rate(u, scaled)
    k2 = _rate(u + 0.5 * dt * k1, scaled)
    k3 = _rate(u + 0.5 * dt * k2, scaled)
    k4 = _rate(u + dt * k3, scaled)
    return u + dt / 6.0 * (k1 + 2.0 * (k2 + k3) + k4)


def _rate(u: Array, scaled: Array) -> Array:
    made = -4.0 * u
    made[1:] += u[:-1]
    made[:-1] += u[1:]
    made[0] += u[1]
    made[-1] += u[-2]
    made[:, 1:] += u[:, :-1]
    made[:, :-1] += u[:, 1:]
    made[:, 0] += u[:, 1]
    made[:, -1] += u[:, -2]
    return scaled * made + 2.0 * u * (1.0 - u)


def _poisson(source: Array) -> Array:
    """-Lap u = source at the inner points of the unit square, five-point Laplacian, u = 0 at the edges."""
    n = len(source)
    eigen = (2.0 * (n + 1) * np.sin(0.5 * np.pi * np.arange(1, n + 1) / (n + 1))) ** 2
    made: Array = idstn(dstn(source, type=1) / (eigen[:, None] + eigen), type=1)
    return made
