"""The first guess of a query: a polynomial in the scaled parameters through the coefficients met in training."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def exponents(columns: int, degree: int) -> list[tuple[int, ...]]:
    """Chebyshev multi-degrees of total degree at most `degree`, lowest first."""
    grid = (e for e in product(range(degree + 1), repeat=columns) if sum(e) <= degree)
    return sorted(grid, key=lambda e: (sum(e), e))


def features(s: Array, degree: int) -> Array:
    """prod_i T_e_i(s_i) for scaled parameters s [B, P]: [B, Q]."""
    values = np.polynomial.chebyshev.chebvander(np.clip(s, -1.0, 1.0), degree)
    return np.stack(
        [np.prod([values[:, i, k] for i, k in enumerate(e)], axis=0) for e in exponents(s.shape[1], degree)], 1
    )


def default_degree(columns: int, samples: int, most: int = 28) -> int:
    """The largest total degree that leaves three samples per unknown and needs at most `most` features."""
    degree = 0
    while len(exponents(columns, degree + 1)) <= min(samples // 3, most):
        degree += 1
    return degree


def fit(s: Array, coefficients: Array, degree: int) -> Array:
    """Least-squares matrix A [Q, N] with features(s) A ~ coefficients [K, N]."""
    return np.asarray(np.linalg.lstsq(features(s, degree), coefficients, rcond=1e-10)[0])
