"""lambda by a solver in the loop: Gauss-Newton on all readings, lambda and the first field unknown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from ..grid import Grid
from ..names import TIME
from .evolution import Evolution, check, cosines
from .regression import Answer, penalised
from .smoothing import Smoothed, along
from .space import Space, cubic
from .statement import Statement

Array = NDArray[np.float64]
MOST_STEPS = 16
EXACT = 0.03
"""The steps are halved until that changes the field by less than EXACT of the noise (root mean square)."""
ROUNDS = 6
SETTLED = 0.05
"""The iteration ends when lambda moves by less than SETTLED of its own uncertainty (root mean square)."""
RIDGE = 1e-9


@final
@dataclass(frozen=True, eq=False)
class Loop:
    """A forward model with the readings it is held against."""

    evolution: Evolution
    values: Array
    read: NDArray[np.bool_]
    sigma: float
    sensors: tuple[Array, Array]
    basis: Array
    """B_i at the nodes [K, m_y, m_x]."""
    kept: tuple[int, int]
    """How many cosines of the first field are unknown."""

    def residual(self, v: Array) -> Array:
        """(readings - field) / sigma where there are readings, of v [T, m_y, m_x]."""
        return np.asarray(((self.values - self.seen(v)) / self.sigma)[self.read])

    def seen(self, v: Array) -> Array:
        """Coefficients [.., m_y, m_x] to values at the sensors."""
        return np.asarray(self.sensors[0] @ (v @ self.sensors[1].T))

    def lam(self, c: Array) -> Array:
        """lambda at the nodes."""
        return np.tensordot(c, self.basis, 1)

    def run(self, c: Array, first: Array) -> Array:
        """v of spline coefficients and the first field's cosines [kept]."""
        return self.evolution.run(self._padded(first[None])[0], self.lam(c))

    def normal(self, c: Array, first: Array) -> tuple[Array, Array]:
        """J'J and J'r by (c, first), J the slope of the field at the readings over sigma."""
        k, unknown = len(self.basis), first.size
        by_lam = np.concatenate([self.basis, np.zeros((unknown, *self.evolution.modes))])
        by_first = np.zeros((k + unknown, *self.evolution.modes))
        by_first[k:] = self._padded(np.eye(unknown).reshape(unknown, *self.kept))
        v, dv = self.evolution.slopes(self._padded(first[None])[0], self.lam(c), by_lam, by_first)
        hessian, load = np.zeros((k + unknown, k + unknown)), np.zeros(k + unknown)
        off = (self.values - self.seen(v)) / self.sigma
        for t, moved in enumerate(dv):
            rows = self.seen(moved).reshape(len(moved), -1)[:, self.read[t].ravel()] / self.sigma
            hessian += rows @ rows.T
            load += rows @ off[t][self.read[t]]
        return hessian, load

    def _padded(self, first: Array) -> Array:
        made = np.zeros((len(first), *self.evolution.modes))
        made[:, : self.kept[0], : self.kept[1]] = first
        return made


def refine(values: Array, grid: Grid, statement: Statement, smoothed: Smoothed, space: Space, start: Answer) -> Answer:
    """min |(u(lambda, u_0) - readings) / sigma|^2 + a curvature of lambda, from a first estimate; a as `penalised`.

    u_0 is eliminated from the normal equations; a step is halved until the cost falls.
    InputError where the statement cannot be solved forwards, or not in MOST_STEPS steps per frame.
    """
    check(statement, grid)
    loop, first = _loop(values, grid, statement, smoothed, space, start)
    c, answer = _sound(start.c), start
    for _ in range(ROUNDS):
        hessian, load = loop.normal(c, first)
        answer, step, moved = _step(hessian, load, c, space, int(smoothed.read.sum()))
        c, first, share = _walk(loop, c, first, step, moved, answer, space)
        spread = np.sqrt(np.einsum("ii->i", answer.covariance).mean())
        if share == 0.0 or np.sqrt((step**2).mean()) < SETTLED * spread:
            break
    misfit = float((loop.residual(loop.run(c, first)) ** 2).mean())
    return replace(answer, c=c, misfit=misfit)


def _step(hessian: Array, load: Array, c: Array, space: Space, rows: int) -> tuple[Answer, Array, Array]:
    k = len(c)
    inner = hessian[k:, k:] + RIDGE * np.trace(hessian[k:, k:]) / (len(hessian) - k) * np.eye(len(hessian) - k)
    factor = cho_factor(inner)
    across = cho_solve(factor, hessian[k:, :k])
    reduced = hessian[:k, :k] - hessian[:k, k:] @ across
    own = load[:k] - across.T @ load[k:]
    right = reduced @ c + own
    total = float(rows + 2.0 * own @ c + c @ reduced @ c)
    answer = penalised(reduced, right, total, rows, space.rough)
    step = answer.c - c
    return answer, step, cho_solve(factor, load[k:]) - across @ step


def _walk(
    loop: Loop, c: Array, first: Array, step: Array, moved: Array, answer: Answer, space: Space
) -> tuple[Array, Array, float]:
    def cost(share: float) -> float:
        at = c + share * step
        with np.errstate(all="ignore"):
            r = loop.residual(loop.run(at, first + share * moved.reshape(first.shape)))
        found = float(r @ r + answer.strength * at @ space.rough @ at)
        return found if np.isfinite(found) else np.inf

    here, share = cost(0.0), 1.0
    while cost(share) > here:
        share *= 0.5
        if share < 1e-2:
            return c, first, 0.0
    return c + share * step, first + share * moved.reshape(first.shape), share


def _loop(
    values: Array, grid: Grid, statement: Statement, smoothed: Smoothed, space: Space, start: Answer
) -> tuple[Loop, Array]:
    axes = [axis for axis in grid.axes if axis.name != TIME]
    kept = tuple(min(basis.count, axis.size - 1) for basis, axis in zip(smoothed.bases[1:], axes, strict=True))
    modes = tuple(min(max(kept) + 3 + max(kept) // 4, 2 * axis.size) for axis in axes)
    sensors = tuple(cosines(axis, m, axis.values) for axis, m in zip(axes, modes, strict=True))
    fitted = along(smoothed.coefficients, [basis.synthesis(0) for basis in smoothed.bases])[0]
    first = np.linalg.pinv(sensors[0][:, : kept[0]]) @ fitted @ np.linalg.pinv(sensors[1][:, : kept[1]]).T
    c, steps, before = _sound(start.c), 1, None
    while steps <= MOST_STEPS:
        mean = float(space.at(c).mean())
        evolution = Evolution(statement, grid, (modes[0], modes[1]), mean, steps)
        lines = [cubic(a, line.shape[1], x) for a, line, x in zip(axes, space.lines, evolution.nodes, strict=True)]
        basis = np.einsum("yi,xj->ijyx", *lines).reshape(space.count, *evolution.modes)
        loop = Loop(
            evolution, values, smoothed.read, smoothed.sigma, (sensors[0], sensors[1]), basis, (kept[0], kept[1])
        )
        with np.errstate(all="ignore"):
            field = loop.seen(loop.run(c, first))
        if before is not None and np.sqrt(((field - before) ** 2).mean()) < EXACT * smoothed.sigma:
            return loop, first
        steps, before = 2 * steps, field
    raise InputError(f"statement {statement.name}: solver: expected to settle in {MOST_STEPS} steps per frame, did not")


def _sound(c: Array) -> Array:
    """A start whose lambda has the sign of its median everywhere, as an operator that must not run backwards needs."""
    middle = float(np.median(c))
    return np.maximum(c, 0.1 * middle) if middle > 0 else np.minimum(c, 0.1 * middle)
