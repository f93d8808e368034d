"""From the greedy loop's last sweep to a reduced model: rows the solver sees, rows it does not, a first guess."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from edgepde_runtime.ops.gauss_newton_solve import reference as gauss_newton
from numpy.typing import NDArray

from edgepde.errors import TrainingError
from edgepde.problems.problem import Problem
from edgepde.s2gpt import start
from edgepde.s2gpt.greedy import State, Sweep, indicator
from edgepde.s2gpt.grid import Grid
from edgepde.s2gpt.interpolation import residual_points
from edgepde.s2gpt.reduced import ReducedModel, Rows, residual_at, solve_rows, statement
from edgepde.s2gpt.rows import Tangents, choose_rows, leverage_weights
from edgepde.s2gpt.snapshot import Layers

Array = NDArray[np.float64]

LADDER = (2, 3, 4, 6, 10)
SAFE_RATIO = 1.5


@dataclass(frozen=True)
class RowTrial:
    """One row set tried: how many rows, whether all candidates converged, worst indicator over the dense solution's."""

    rows: int
    converged: bool
    ratio: float


def tangents(problem: Problem, table: Rows, grid: Grid, parameters: Array, solution: Array) -> Tangents:
    """Quadrature-weighted Jacobians over parameters [S, P] at their solutions [S, N], orthonormalised."""
    lift, coefficients, terms = statement(problem, grid.points, parameters)
    values = gauss_newton.factor_values(lift, table.basis, solution)
    weights = np.broadcast_to(np.sqrt(grid.weights), (len(parameters), len(grid.weights)))
    return Tangents.of(gauss_newton.jacobian(values, table.basis, coefficients, weights, terms))


def interpolation_rows(problem: Problem, state: State, result: Sweep) -> NDArray[np.int64]:
    """The 2N - 1 sparse points: x* of the basis and x** of each nested model's residual at the next snapshot's
    parameter.
    """
    points = result.basis.indices
    known = np.concatenate(state.parameters)
    own = result.basis.snapshot_coefficients
    residuals = []
    for n in range(1, len(known)):
        cut = Rows(result.rows.points, result.rows.weights, result.rows.basis[:, :, :n])
        residuals.append(residual_at(problem, cut, known[n : n + 1], own[n : n + 1, :n])[0])
    if not residuals:
        return points
    return np.asarray(list(dict.fromkeys([*points, *residual_points(np.stack(residuals, axis=1))])), dtype=np.int64)


def safe_rows(
    problem: Problem, state: State, result: Sweep, grid: Grid, over: Array
) -> tuple[Rows, NDArray[np.int64], list[RowTrial]]:
    """The smallest row set of the ladder (2N - 1, 3N, 4N, 6N, 10N) whose worst indicator stays near the dense
    solution's.
    """
    size = len(state.theta)
    sample = over[:: max(1, len(over) // 24)]
    own = result.coefficients[:: max(1, len(over) // 24)]
    tangent = tangents(problem, result.rows, grid, sample, own)
    first = interpolation_rows(problem, state, result)
    trials: list[RowTrial] = []
    best: tuple[float, Rows, NDArray[np.int64]] | None = None
    for factor in LADDER:
        count = 2 * size - 1 if factor == 2 else factor * size
        index = choose_rows(tangent, first, count)
        weights = leverage_weights(tangent, index, grid.weights)
        rows = Rows(grid.points[index], weights, result.rows.basis[:, index])
        solution, done = solve_rows(problem, rows, over, result.coefficients)
        worst = indicator(problem, grid, residual_at(problem, result.rows, over, solution))
        ratio = float((worst / np.maximum(result.indicator, 1e-300)).max()) if done.all() else float("inf")
        ratio = min(ratio, float(worst.max() / result.indicator.max())) if done.all() else ratio
        trials.append(RowTrial(len(index), bool(done.all()), ratio))
        if best is None or ratio < best[0]:
            best = (ratio, rows, index)
        if ratio <= SAFE_RATIO:
            break
    assert best is not None
    return best[1], best[2], trials


def validation_rows(grid: Grid, table: Rows, used: NDArray[np.int64], count: int, seed: int) -> Rows:
    """`count` grid points drawn by quadrature weight among those the solver does not use, so that RMS is an L2 mean."""
    odds = grid.weights.copy()
    odds[used] = 0.0
    free = int(np.count_nonzero(odds))
    if not free:
        raise TrainingError("the grid has no point left to check the solver on; expected a larger grid")
    index = np.random.default_rng(seed).choice(len(odds), min(count, free), replace=False, p=odds / odds.sum())
    return Rows(grid.points[index], np.ones(count), table.basis[:, index])


def assemble(
    problem: Problem, layers: Layers, state: State, result: Sweep, grid: Grid, over: Array, seed: int
) -> tuple[ReducedModel, list[RowTrial]]:
    """The reduced model of a finished greedy loop, and the row sets that were tried."""
    rows, used, trials = safe_rows(problem, state, result, grid, over)
    solution, converged = solve_rows(problem, rows, over, result.coefficients)
    s = problem.scaled(over[converged])
    degree = start.default_degree(s.shape[1], len(s))
    model = ReducedModel(
        problem=problem,
        layers=layers,
        theta=torch.cat(state.theta).cpu(),
        parameters=np.concatenate(state.parameters),
        transform=result.basis.transform,
        rows=rows,
        validation=validation_rows(grid, result.rows, used, max(32, 2 * len(state.theta)), seed),
        start_degree=degree,
        start_matrix=start.fit(s, solution[converged], degree),
    )
    return model, trials
