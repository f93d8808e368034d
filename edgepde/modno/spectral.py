"""Fields as coefficients: Chebyshev in time, Fourier in space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
WORST_CONDITION = 1e6
"""Of a grid's matrix; beyond it coefficients would be noise."""
CALM = 10.0
"""Condition number up to which a polynomial stays near the samples between them, wherever the times lie."""
FOLDS, NEAR, ROUNDING = 4, 1.1, 1e-12


@final
@dataclass(frozen=True)
class Spectral:
    """u(t, x) = sum_dk C[d, k] T_d(2 t / horizon - 1) F_k(x), F = [1, cos 1 .. m, sin 1 .. m] of 2 pi x / period.

    modes: m; degree: the highest d, of q = degree + 1. InputError for sizes that are no basis.
    """

    period: float
    modes: int
    horizon: float
    degree: int

    def __post_init__(self) -> None:
        for name, low in (("modes", 0), ("degree", 0)):
            if getattr(self, name) < low:
                raise InputError(f"spectral: {name}: expected at least {low}, got {getattr(self, name)}")
        for name in ("period", "horizon"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"spectral: {name}: expected a positive number, got {value}")

    @property
    def terms(self) -> int:
        """q."""
        return self.degree + 1

    @property
    def width(self) -> int:
        """2 m + 1."""
        return 2 * self.modes + 1

    def time_matrix(self, times: ArrayLike) -> Floats:
        """E [T, q], E[j, d] = T_d(2 times[j] / horizon - 1); times beyond the horizon follow the polynomial."""
        tau = 2.0 * finite(times, "times") / self.horizon - 1.0
        return np.asarray(np.polynomial.chebyshev.chebvander(tau, self.degree))

    def space_matrix(self, x: ArrayLike) -> Floats:
        """F [2m+1, n]."""
        return fourier(finite(x, "x"), self.period, self.modes)

    def values(self, coefficients: ArrayLike, times: ArrayLike, x: ArrayLike) -> Floats:
        """E(times) C F(x): [.., q, 2m+1] to [.., T, n]."""
        return np.asarray(self.time_matrix(times) @ np.asarray(coefficients) @ self.space_matrix(x))

    def coefficients(self, field: ArrayLike, times: ArrayLike, x: ArrayLike) -> Floats:
        """Least squares C [.., q, 2m+1] of fields [.., T, n]; InputError where the grid does not determine it."""
        space = inverse(self.space_matrix(x).T, "x", self.width).T
        time = inverse(self.time_matrix(times), "times", self.terms)
        return np.asarray(time @ np.asarray(field, np.float64) @ space)


def most_terms(times: ArrayLike, horizon: float) -> int:
    """The largest q for which times determine polynomials calmly: all of them at Chebyshev nodes, about
    2 sqrt(T) where they are even.
    """
    given = finite(times, "times")
    every = Spectral(1.0, 0, horizon, len(given) - 1).time_matrix(given)
    calm = [q for q in range(1, len(given) + 1) if np.linalg.cond(every[:, :q]) <= CALM]
    return max(calm, default=1)


def fitting_terms(field: ArrayLike, times: ArrayLike, horizon: float) -> int:
    """The smallest q, of at most most_terms, that predicts fields [N, T, n] at times left out nearly as well as any.

    Every fourth time is left out in turn, the first and the last never. Fewer than four times: most_terms.
    """
    given, values = finite(times, "times"), np.asarray(field, np.float64)
    most, wrong = most_terms(given, horizon), []
    if len(given) < FOLDS:
        return most
    inner = np.arange(1, len(given) - 1)
    for fold in range(min(FOLDS, len(inner))):
        out = inner[fold::FOLDS]
        kept = np.setdiff1d(np.arange(len(given)), out)
        wrong.append([_missed(values, given, kept, out, Spectral(1.0, 0, horizon, q)) for q in range(most)])
    squares = np.sum(wrong, axis=0)
    enough = max(NEAR**2 * float(squares.min()), ROUNDING**2 * float((values**2).sum()))
    return int(np.argmax(squares <= enough)) + 1


def _missed(values: Floats, times: Floats, kept: NDArray[np.int64], out: NDArray[np.int64], form: Spectral) -> float:
    """Sum of squares at the times left out; infinite where those kept do not determine the polynomials calmly."""
    matrix = form.time_matrix(times)
    if len(kept) < form.terms or np.linalg.cond(matrix[kept]) > CALM:
        return np.inf
    found = (matrix[out] @ np.linalg.pinv(matrix[kept])) @ values[:, kept]
    return float(((found - values[:, out]) ** 2).sum())


def narrowed(coefficients: Floats, modes: int) -> Floats:
    """Coefficients [.., 2M+1] to [.., 2m+1], m = modes at most."""
    own = coefficients.shape[-1] // 2
    kept = np.r_[: min(modes, own) + 1, own + 1 : own + min(modes, own) + 1]
    return np.asarray(coefficients[..., kept])


def fourier(x: Floats, period: float, modes: int) -> Floats:
    """F [2m+1, n] = [1, cos 1 .. m, sin 1 .. m] of 2 pi k x / period."""
    angle = 2.0 * np.pi / period * np.arange(1, modes + 1)[:, None] * x
    return np.concatenate([np.ones((1, len(x))), np.cos(angle), np.sin(angle)])


def inverse(matrix: Floats, name: str, terms: int) -> Floats:
    """The least squares inverse [terms, n] of [n, terms]; InputError where it is no better than a guess."""
    if len(matrix) < terms or np.linalg.cond(matrix) > WORST_CONDITION:
        raise InputError(f"{name}: {len(matrix)} points do not determine {terms} coefficients")
    return np.asarray(np.linalg.pinv(matrix))


def finite(values: ArrayLike, name: str) -> Floats:
    """Finite float64 [n], or InputError naming the place."""
    found = np.asarray(values, np.float64)
    if found.ndim != 1 or not found.size:
        raise InputError(f"{name}: expected [n], n > 0, got shape {list(found.shape)}")
    wrong = ~np.isfinite(found)
    if wrong.any():
        raise InputError(f"{name}[{int(np.argmax(wrong))}]: expected a finite number, got {found[np.argmax(wrong)]}")
    return found
