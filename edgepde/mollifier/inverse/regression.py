"""Penalised least squares with known noise: the penalty by restricted likelihood, an answer with its covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.linalg import LinAlgError
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular

Array = NDArray[np.float64]
STRENGTHS = 10.0 ** np.arange(-8.0, 5.1, 0.5)
COARSE = 4
RIDGE = 1e-10


@final
@dataclass(frozen=True, eq=False)
class Answer:
    """c [K] and its covariance [K, K]; strength: of the penalty; misfit: variance of what is left over the noise's."""

    c: Array
    covariance: Array
    strength: float
    misfit: float


def regress(normal: Array, right: Array, noise: Array, rough: Array) -> Answer:
    """right = normal c + e, e ~ N(0, noise), c smooth: c' rough c small.

    With noise = L L', W = L^-1 normal, y = L^-1 right: c minimises |y - W c|^2 + a c' rough c; a maximises the
    restricted likelihood of y with c ~ N(0, (a rough)^-1) (Patterson and Thompson 1971; Wahba 1985).
    """
    k = len(right)
    lower = np.linalg.cholesky(noise + RIDGE * np.trace(noise) / k * np.eye(k))
    w = solve_triangular(lower, normal, lower=True)
    y = solve_triangular(lower, right, lower=True)
    return penalised(w.T @ w, w.T @ y, float(y @ y), k, rough)


def penalised(hessian: Array, load: Array, total: float, rows: int, rough: Array) -> Answer:
    """The same of normal equations whose rows have noise 1: minimise total - 2 load c + c' hessian c + a c' rough c."""
    k = len(load)
    scale = np.trace(hessian) / np.trace(rough)
    rough = rough * scale + RIDGE * np.trace(hessian) / k * np.eye(k)
    known: dict[int, tuple[float, float, Array]] = {}

    def tried(i: int) -> float:
        if i not in known:
            a = STRENGTHS[i]
            try:
                factor = cho_factor(hessian + a * rough, check_finite=False)
            except LinAlgError:
                known[i] = (np.inf, np.inf, np.zeros(k))
                return np.inf
            c = cho_solve(factor, load, check_finite=False)
            cost = max(total - float(load @ c), 1e-300)
            known[i] = (cost + 2.0 * float(np.log(np.diag(factor[0])).sum()) - k * np.log(a), cost, c)
        return known[i][0]

    at = min(range(0, len(STRENGTHS), COARSE), key=tried)
    at = min(range(max(0, at - COARSE + 1), min(len(STRENGTHS), at + COARSE)), key=tried)
    score, cost, c = known[at]
    if not np.isfinite(score):
        raise InputError(f"readings: expected to determine lambda's {k} coefficients, they do not")
    a = float(STRENGTHS[at])
    covariance = np.asarray(np.linalg.inv(hessian + a * rough), dtype=np.float64)
    return Answer(c, covariance, a * scale, cost / rows)
