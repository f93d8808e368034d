"""The constant-coefficient equation behind a linear part: what it says of modes that no training input has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from .spectral import Spectral

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]
TOLERANCE = 1e-4
"""Of a mode's factor, relative to the largest: how well a law must give a mode that it was not fitted to."""
HIGHEST = 4
"""Highest derivative in x of a law."""
GROWTH = 1.05
ROUNDS = 30
MOST_TERMS, RESOLVED = 64, 1e-6


@final
@dataclass(frozen=True, eq=False)
class Law:
    """d^p u / dt^p = sum_j symbol[j] d^j u / dx^j, p = order 1 or 2 (then from rest): mode k is multiplied by

    exp(s_k t) or cosh(sqrt(s_k) t), s_k = sum_j symbol[j] (2 pi i k / period)^j. error: of the highest mode that was
    seen, by a law fitted to the others.
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
    """The law that gives all seen modes, and the highest of them also when fitted to the others; None where none does.

    factors [q, l+1]: Chebyshev coefficients on [0, horizon] of every mode's factor; seen [l+1].
    """
    k = np.flatnonzero(seen)
    times = 0.5 * horizon * (1.0 - np.cos(np.linspace(0.0, np.pi, 2 * len(factors))))
    wanted = Spectral(period, 0, horizon, len(factors) - 1).time_matrix(times) @ factors[:, k]
    for order in (1, 2):
        rates = np.array([_rate(order, factors[:, j], horizon, times, wanted[:, i]) for i, j in enumerate(k)])
        if _far(_course(order, rates, times[:, None]), wanted):
            continue
        for highest in range(HIGHEST + 1):
            found = _held_out(order, highest, k, rates, times, wanted, period)
            if found is not None:
                return found
    return None


def extended(factors: Complex, seen: NDArray[np.bool_], law: Law, horizon: float, reach: float) -> Complex:
    """Chebyshev coefficients [q', l+1] on [0, reach] with the law's factors for modes that were not seen.

    Where reach is not the horizon, the law gives all of them. Unseen modes that would outgrow every seen one stay 0.
    """
    k = np.arange(factors.shape[1])
    nodes = np.cos(np.pi * (np.arange(2 * MOST_TERMS) + 0.5) / (2 * MOST_TERMS))
    times = 0.5 * reach * (nodes + 1.0)
    values = law.factors(times, k)
    top = GROWTH * np.abs(values[:, seen]).max()
    with np.errstate(invalid="ignore"):
        calm = np.abs(values).max(0) <= top
    values = np.where(calm | seen, values, 0.0)
    made = np.asarray(chebyshev.chebfit(nodes, values, MOST_TERMS - 1), np.complex128)
    size = np.abs(made).max(1)
    terms = int(np.flatnonzero(size > RESOLVED * size.max())[-1]) + 1
    if reach != horizon:
        return made[:terms]
    terms = max(terms, len(factors))
    own = np.pad(factors, ((0, terms - len(factors)), (0, 0)))
    return np.where(seen, own, made[:terms])


def _held_out(
    order: int, highest: int, k: NDArray[np.int64], rates: Complex, times: Floats, wanted: Complex, period: float
) -> Law | None:
    """The law with derivatives up to `highest`, where it passes."""
    if len(k) - 1 < highest // 2 + 1 or np.count_nonzero(k[:-1]) < (highest + 1) // 2:
        return None
    less = _symbol(k[:-1], rates[:-1], highest, period)
    other = Law(order, less, period, 0.0).factors(times, k[-1:])
    if _far(other, wanted[:, -1:]):
        return None
    error = float(np.abs(other - wanted[:, -1:]).max() / np.abs(wanted).max())
    law = Law(order, _symbol(k, rates, highest, period), period, error)
    return None if _far(law.factors(times, k), wanted) else law


def _far(found: Complex, wanted: Complex) -> bool:
    """NaN and infinity are far."""
    return not bool((np.abs(found - wanted) <= TOLERANCE * np.abs(wanted).max()).all())


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
