"""The constant-coefficient equation behind a linear part: what it says of modes that no training input has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from .spectral import Spectral

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]
EXACT, LEAST = 1e-4, 0.1
"""Error of a law, of a mode that it was not fitted to, relative to the largest factor: where the shortest law is taken,
and where none is."""
HIGHEST = 4
"""Highest derivative in x of a law."""
FEWEST = 3
GROWTH = 1.05
ROUNDS = 30
MOST_TERMS, RESOLVED = 64, 1e-6
"""Degrees in time that unseen modes may ask for; those below RESOLVED, or a tenth of the law's error, are left out."""


@final
@dataclass(frozen=True, eq=False)
class Law:
    """d^p u / dt^p = sum_j symbol[j] d^j u / dx^j, p = order 1 or 2 (then from rest): mode k is multiplied by

    exp(s_k t) or cosh(sqrt(s_k) t), s_k = sum_j symbol[j] (2 pi i k / period)^j. error: at seen modes, and of the
    highest of them by a law fitted to the others, relative to the largest factor.
    """

    order: int
    symbol: Floats
    period: float
    error: float

    def rates(self, k: NDArray[np.int64]) -> Complex:
        """s_k."""
        found: Complex = _powers(k, self.period, len(self.symbol)) @ self.symbol
        return found

    def factors(self, times: Floats, k: NDArray[np.int64]) -> Complex:
        """[T, modes]."""
        return _course(self.order, self.rates(k), times[:, None])


def find(factors: Complex, seen: NDArray[np.bool_], horizon: float, period: float) -> Law | None:
    """The law that gives the seen modes, and the highest of them when fitted to the others; None where none does.

    At least FEWEST modes besides the mean have to be seen.

    factors [q, l+1]: Chebyshev coefficients on [0, horizon] of every mode's factor; seen [l+1]. The shortest law that
    is EXACT; else the best, if it is off by LEAST at most: the linear part of a nonlinear operator obeys none exactly.
    """
    k = np.flatnonzero(seen)
    times = 0.5 * horizon * (1.0 - np.cos(np.linspace(0.0, np.pi, 2 * len(factors))))
    wanted = Spectral(period, 0, horizon, len(factors) - 1).time_matrix(times) @ factors[:, k]
    found = []
    for order in (1, 2) if np.count_nonzero(k) >= FEWEST else ():
        rates = np.array([_rate(order, factors[:, j], horizon, times, wanted[:, i]) for i, j in enumerate(k)])
        for highest in range(HIGHEST + 1):
            if len(k) - 1 > highest // 2 and np.count_nonzero(k[:-1]) >= (highest + 1) // 2:
                found.append(_law(order, highest, k, rates, times, wanted, period))
    exact = [law for law in found if law.error <= EXACT]
    best = min(exact, key=lambda law: len(law.symbol)) if exact else min(found, key=lambda law: law.error, default=None)
    return best if best is not None and best.error <= LEAST else None


def extended(factors: Complex, seen: NDArray[np.bool_], law: Law, horizon: float) -> Complex:
    """Chebyshev coefficients [q', l+1] with the law's factors for modes that were not seen.

    Those that would outgrow every seen one stay 0.
    """
    k = np.arange(factors.shape[1])
    nodes = np.cos(np.pi * (np.arange(2 * MOST_TERMS) + 0.5) / (2 * MOST_TERMS))
    times = 0.5 * horizon * (nodes + 1.0)
    values = law.factors(times, k)
    top = GROWTH * np.abs(values[:, seen]).max()
    with np.errstate(invalid="ignore"):
        calm = np.abs(values).max(0) <= top
    values = np.where(calm | seen, values, 0.0)
    made = np.asarray(chebyshev.chebfit(nodes, values, MOST_TERMS - 1), np.complex128)
    size = np.abs(made).max(1)
    terms = int(np.flatnonzero(size > max(RESOLVED, 0.1 * law.error) * size.max())[-1]) + 1
    terms = max(terms, len(factors))
    own = np.pad(factors, ((0, terms - len(factors)), (0, 0)))
    return np.where(seen, own, made[:terms])


def _law(
    order: int, highest: int, k: NDArray[np.int64], rates: Complex, times: Floats, wanted: Complex, period: float
) -> Law:
    """Of derivatives up to `highest`; error: the larger of that of all modes and of the highest by the others."""
    less = Law(order, _symbol(k[:-1], rates[:-1], highest, period), period, 0.0)
    law = Law(order, _symbol(k, rates, highest, period), period, 0.0)
    pairs = ((less.factors(times, k[-1:]), wanted[:, -1:]), (law.factors(times, k), wanted))
    errors = [float(np.abs(found - own).max() / np.abs(wanted).max()) for found, own in pairs]
    return replace(law, error=max(errors) if np.isfinite(errors).all() else np.inf)


def _symbol(k: NDArray[np.int64], rates: Complex, highest: int, period: float) -> Floats:
    """Least squares; every column by its size at the highest mode."""
    columns = _powers(k, period, highest + 1)
    size = np.abs(columns).max(0)
    split = np.concatenate([columns.real, columns.imag]) / size
    return np.asarray(np.linalg.lstsq(split, np.concatenate([rates.real, rates.imag]), rcond=None)[0] / size)


def _powers(k: NDArray[np.int64], period: float, count: int) -> Complex:
    """(2 pi i k / period)^j, [modes, j]."""
    return np.asarray((2j * np.pi / period * k[:, None]) ** np.arange(count), np.complex128)


def _rate(order: int, factors: Complex, horizon: float, times: Floats, wanted: Complex) -> np.complex128:
    """s of one mode: first from g - 1 = s (integral of g, once or twice), then by Gauss-Newton steps."""
    integral = chebyshev.chebint(factors, order, lbnd=-1, scl=0.5 * horizon)
    whole = np.asarray(chebyshev.chebval(2.0 * times / horizon - 1.0, integral), np.complex128)
    s = np.complex128(np.vdot(whole, wanted - 1.0) / max(float(np.vdot(whole, whole).real), 1e-300))
    for _ in range(ROUNDS):
        slope = _slope(order, s, times)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            step = np.vdot(slope, wanted - _course(order, s, times)) / np.vdot(slope, slope)
        if not np.isfinite(step):
            break
        s += step
        if abs(step) <= 1e-14 * abs(s):
            break
    return s


def _course(order: int, s: Complex | np.complex128, times: Floats) -> Complex:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.exp(s * times) if order == 1 else np.cosh(np.sqrt(s + 0j) * times)


def _slope(order: int, s: np.complex128, times: Floats) -> Complex:
    """By s."""
    root = np.sqrt(s + 0j)
    with np.errstate(over="ignore", invalid="ignore"):
        if order == 1:
            return np.asarray(times * np.exp(s * times))
        if abs(root) * times[-1] < 1e-4:
            return np.asarray(0.5 * times**2 + 0j)
        return np.asarray(times * np.sinh(root * times) / (2.0 * root))
