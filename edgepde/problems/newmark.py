"""Newmark's scheme (gamma = 1/2) for M u'' + K u = s(t) b with a consistent mass matrix, and its stability limit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import eigsh, splu

from edgepde.errors import ProblemError

Array = NDArray[np.float64]
FOX_GOODWIN = 1.0 / 12.0
FEW = 32
SYMMETRIC: dict[str, Any] = {
    "permc_spec": "MMD_AT_PLUS_A",
    "diag_pivot_thresh": 0.0,
    "options": {"SymmetricMode": True},
}


def largest_eigenvalue(stiffness: csc_matrix, mass: csc_matrix) -> float:
    """The largest lambda of K v = lambda M v, symmetric, M positive definite, to 1e-6."""
    if mass.shape[0] <= FEW:
        return float(eigh(stiffness.toarray(), mass.toarray(), eigvals_only=True)[-1])
    start = np.random.default_rng(0).standard_normal(mass.shape[0])
    found = eigsh(stiffness, k=1, M=mass, which="LA", v0=start, tol=1e-6, return_eigenvectors=False)
    return float(found[0])


def step_limit(largest: float, beta: float) -> float:
    """The longest stable step: 2 / sqrt((1 - 4 beta) lambda); infinite for beta >= 1/4."""
    return math.inf if beta >= 0.25 else 2.0 / math.sqrt((1.0 - 4.0 * beta) * largest)


@final
@dataclass(frozen=True, eq=False)
class Newmark:
    """u_(n+1) = 2 u_n - u_(n-1) + dt^2 a_n with
    (M + beta dt^2 K) a_n = beta f_(n+1) + (1 - 2 beta) f_n + beta f_(n-1) - K u_n.

    mass, stiffness [n, n]; step: dt. beta = 1/12 (Fox-Goodwin) is of fourth order in dt and conditionally stable,
    beta = 1/4 of second order and always stable. limit: the longest stable step, where the caller knows it.
    Raises ProblemError for a step that is not positive or above the limit, and for beta outside [0, 1/4].
    """

    mass: csc_matrix
    stiffness: csc_matrix
    step: float
    beta: float = FOX_GOODWIN
    limit: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.beta <= 0.25:
            raise ProblemError(f"beta: expected 0 .. 1/4, got {self.beta:g}")
        limit = self.limit
        if limit is None:
            limit = step_limit(largest_eigenvalue(self.stiffness, self.mass), self.beta)
        check_step(self.step, limit, self.beta)

    def march(self, load: Array, source: Array, start: Array | None = None) -> Iterator[Array]:
        """u_0 .. u_N [n] for f_i = source[i + 1] load; source [N + 2] from the step before 0 to the one after N - 1.

        start: u_0, at rest and without a source before; None: zero, and u_(-1) too.
        """
        dt2 = self.step**2
        solve = splu((self.mass + self.beta * dt2 * self.stiffness).tocsc(), **SYMMETRIC).solve
        rows = self.stiffness.tocsr()
        push = self.beta * (source[2:] + source[:-2]) + (1.0 - 2.0 * self.beta) * source[1:-1]
        now = np.zeros(len(load)) if start is None else np.array(start, dtype=np.float64)
        yield now
        before = now
        for i, amount in enumerate(push):
            bend = dt2 * solve(amount * load - rows @ now)
            is_release = i == 0 and start is not None
            before, now = now, (now + bend / 2.0 if is_release else 2.0 * now - before + bend)
            yield now

    def energy(self, before: Array, now: Array) -> float:
        """What the scheme keeps without a source: v.(M + (beta - 1/4) dt^2 K) v / 2 + m.K m / 2.

        v = (now - before) / dt, m = (now + before) / 2, of two consecutive steps.
        """
        speed, middle = (now - before) / self.step, (now + before) / 2.0
        bent = self.stiffness @ speed
        moving = speed @ (self.mass @ speed) + (self.beta - 0.25) * self.step**2 * (speed @ bent)
        return float(moving + middle @ (self.stiffness @ middle)) / 2.0


def check_step(step: float, limit: float, beta: float, unit: str = "") -> None:
    """Raises ProblemError with the limit where a step is not positive or above it."""
    if not step > 0.0 or not math.isfinite(step):
        raise ProblemError(f"step: expected a positive number, got {step:g}")
    if step > limit:
        raise ProblemError(
            f"step: {step:g}{unit} is above the stability limit {limit:g}{unit} of Newmark's scheme with "
            f"beta = {beta:.4g} on this mesh; expected at most the limit"
        )
