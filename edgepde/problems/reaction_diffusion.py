"""Phase separation with reactions, order four: recover the rate lambda(y, x) (after arXiv 2505.11682, chromatin).

Two phases e and h fill a constant fraction c of the volume, phi_e + phi_h = c; the field is u = phi_h - phi_e, so that
phi_e = (c - u) / 2 and phi_h = (c + u) / 2. Every conversion e -> h (rate lambda) or h -> e (rate 1) moves u by two:

    u_t = Lap mu + 2 (lambda phi_e - phi_h) = Lap mu + lambda (c - u) - (c + u),
    mu  = a (u^3 / w^2 - u) - b Lap u,

mu being the derivative of the double well a (u^4 / (4 w^2) - u^2 / 2) with minima +-w and of the gradient energy
b |grad u|^2 / 2, mobility in a and b. Edges are closed: no flux of u and none of mu. The model is our own reduction of
the paper's: its free energy and its values are not published in full.

Solved in cosines by exponential time differencing of order 4 (Cox and Matthews 2002, coefficients by contour integrals
after Kassam and Trefethen 2005); a rate with a slope at the edges lowers the order seen to 2.7 in time and 2 in space.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn

from edgepde.errors import SettingError

from .inverse_case import Case, bumps, check_fine, check_range, check_sizes, read, square_in_time, wave_and_bump

Array = NDArray[np.float64]


@final
@dataclass(frozen=True)
class ReactionDiffusion:
    """Readings of u on points x points places and frames times; rate and first field drawn by seed.

    a, b: strength of double well and interface; w: its minima; filled: c. low, high: the range of lambda. fine: points
    per edge of the reference, of which every (fine - 1) / (points - 1)-th is read; steps: of the reference per frame.
    noise, missing: as in the other inverse problems.
    """

    points: int = 64
    frames: int = 16
    horizon: float = 1.0
    a: float = 0.0243
    b: float = 4.9e-5
    w: float = 0.5
    filled: float = 0.8
    low: float = 0.4
    high: float = 1.6
    bumps: int = 16
    fine: int = 127
    steps: int = 4
    noise: float = 0.01
    missing: float = 0.0

    def __post_init__(self) -> None:
        check_sizes(self.points, self.frames, self.noise, self.missing)
        check_range("low, high", self.low, self.high)
        for name in ("horizon", "a", "b", "w", "filled"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise SettingError(f"{name}: expected a positive number, got {getattr(self, name):g}")
        for name, most in (("bumps", 256), ("steps", 4096)):
            if not 1 <= getattr(self, name) <= most:
                raise SettingError(f"{name}: expected 1 .. {most}, got {getattr(self, name)}")
        check_fine(self.points, self.fine)

    @property
    def axes(self) -> dict[str, Array]:
        """t, y and x."""
        return square_in_time(self.points, self.frames, self.horizon)

    def case(self, seed: int, noise_seed: int | None = None) -> Case:
        """Rate, first field and readings of a seed; noise_seed: another draw of the noise alone."""
        lam = wave_and_bump(self.fine, self.low, self.high, seed)
        first = bumps(self.fine, self.bumps, -0.6 * self.filled, 0.6 * self.filled, seed)
        every = (self.fine - 1) // (self.points - 1)
        field = evolve(self, first, lam)[:, ::every, ::every].copy()
        readings, sigma = read(field, self.noise, self.missing, seed if noise_seed is None else noise_seed)
        return Case(self.axes, lam[::every, ::every].copy(), field, readings, sigma)


def evolve(config: ReactionDiffusion, first: Array, lam: Array) -> Array:
    """u [frames, n, n] from u [n, n] at time 0 with lambda [n, n], n whatever it is."""
    k2 = (np.pi * np.arange(len(first))) ** 2
    square = k2[:, None] + k2
    linear = -config.b * square**2
    times = np.linspace(0.0, config.horizon, config.frames)
    scheme = _Scheme(linear, float(times[1] - times[0]) / config.steps)

    def rest(v: Array) -> Array:
        u = idctn(v, type=1)
        well = config.a * (u**3 / config.w**2 - u)
        made: Array = -square * dctn(well, type=1)
        made += dctn(lam * (config.filled - u) - (config.filled + u), type=1)
        return made

    frames, v = [first], dctn(first, type=1)
    for _ in times[1:]:
        for _ in range(config.steps):
            v = scheme.step(v, rest)
        frames.append(idctn(v, type=1))
    return np.stack(frames)


@final
class _Scheme:
    """ETDRK4 of v' = L v + N(v), L diagonal [n, n], step dt."""

    def __init__(self, linear: Array, dt: float) -> None:
        z = dt * linear[..., None] + np.exp(1j * np.pi * (np.arange(1, 17) - 0.5) / 16)
        self.whole, self.half = np.exp(dt * linear), np.exp(0.5 * dt * linear)
        e = np.exp(z)
        self.q = dt * ((np.exp(0.5 * z) - 1.0) / z).mean(-1).real
        self.f1 = dt * ((-4.0 - z + e * (4.0 - 3.0 * z + z**2)) / z**3).mean(-1).real
        self.f2 = dt * ((2.0 + z + e * (z - 2.0)) / z**3).mean(-1).real
        self.f3 = dt * ((-4.0 - 3.0 * z - z**2 + e * (4.0 - z)) / z**3).mean(-1).real

    def step(self, v: Array, rest: Callable[[Array], Array]) -> Array:
        """One step."""
        n0 = rest(v)
        a = self.half * v + self.q * n0
        na = rest(a)
        b = self.half * v + self.q * na
        nb = rest(b)
        c = self.half * a + self.q * (2.0 * nb - n0)
        made: Array = self.whole * v + n0 * self.f1 + 2.0 * (na + nb) * self.f2 + rest(c) * self.f3
        return made
