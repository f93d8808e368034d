"""The offline stage: snapshots where the reduced model is worst, until it is good enough (arXiv 2506.15687, Algorithm 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from edgepde.errors import TrainingError
from edgepde.problems.derivatives import by_name
from edgepde.problems.problem import Problem
from edgepde.s2gpt import jet_mlp
from edgepde.s2gpt.candidates import candidates, nearest
from edgepde.s2gpt.grid import Axis, Grid, fitted_axis, tensor_grid
from edgepde.s2gpt.interpolation import EmpiricalBasis, empirical_basis
from edgepde.s2gpt.reduced import Rows, residual_at, solve_rows, tabulate
from edgepde.s2gpt.snapshot import Layers, Settings, train

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """The greedy loop's settings: at most `snapshots` functions, stop when the indicator falls below `tolerance`."""

    snapshots: int = 18
    tolerance: float = 1e-4
    refinements: int = 4
    width: int = 20
    depth: int = 2
    grid: int = 5000
    seed: int = 0
    training: Settings = field(default_factory=Settings)


@dataclass
class State:
    """What the loop has so far; everything in it is checkpointed."""

    theta: list[torch.Tensor] = field(default_factory=list)
    parameters: list[Array] = field(default_factory=list)
    residuals: list[float] = field(default_factory=list)
    indicators: list[float] = field(default_factory=list)
    picks: list[Array] = field(default_factory=list)
    refined: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Sweep:
    """One pass over all candidates: coefficients [K, N], indicator [K] (inf where not converged), the basis and its rows."""

    basis: EmpiricalBasis
    rows: Rows
    coefficients: Array
    indicator: Array


def indicator(problem: Problem, grid: Grid, residual: Array) -> Array:
    """int w |r| dx with the problem's L1 stability weight, else the RMS of r: [K, R] -> [K]; not finite counts as inf."""
    if problem.l1_stability is None:
        value = np.sqrt((residual**2 * grid.weights).sum(axis=1) / grid.weights.sum())
    else:
        coordinates = by_name(problem.coordinates.names, torch.from_numpy(grid.points))
        value = (np.abs(residual) * problem.l1_stability(coordinates).numpy() * grid.weights).sum(axis=1)
    return np.where(np.isfinite(value), value, np.inf)


def domain_grid(problem: Problem, layers: Layers, theta: torch.Tensor, size: int) -> Grid:
    """About `size` points on axes fitted to the snapshots' slopes (axes are straight before there is a snapshot)."""
    box = problem.domain
    count = max(4, round(size ** (1.0 / box.dimension)))
    straight = [Axis(a, b) for a, b in zip(box.low, box.high, strict=True)]
    probe = tensor_grid(straight, [count] * box.dimension)
    axes = []
    for i, name in enumerate(box.names):
        slope = tabulate(problem, layers, theta, np.eye(len(theta)), probe.points, (f"u_{name}",))[0]
        activity = np.square(slope).max(axis=1)
        axes.append(fitted_axis(box.low[i], box.high[i], probe.points[:, i], activity))
    return tensor_grid(axes, [count] * box.dimension)


def sweep(problem: Problem, layers: Layers, state: State, grid: Grid, over: Array) -> Sweep:
    """Solve every candidate [K, P] on quadrature-weighted rows of the grid and judge it on the whole grid."""
    theta = torch.cat(state.theta)
    known = np.concatenate(state.parameters)
    raw = tabulate(problem, layers, theta, np.eye(len(theta)), grid.points, (*problem.factors, "u"))
    basis = empirical_basis(raw[-1])
    table = raw[:-1] @ basis.transform
    stride = max(1, len(grid.points) // max(40 * len(theta), 400))
    chosen = np.unique(np.concatenate([np.arange(0, len(grid.points), stride), basis.indices]))
    rows = Rows(grid.points[chosen], np.sqrt(grid.weights[chosen]), table[:, chosen])
    guess = basis.snapshot_coefficients[nearest(problem, known, over)]
    coefficients, converged = solve_rows(problem, rows, over, guess)
    everywhere = Rows(grid.points, np.ones(len(grid.points)), table)
    value = indicator(problem, grid, residual_at(problem, everywhere, over, coefficients))
    return Sweep(basis, everywhere, coefficients, np.where(converged, value, np.inf))


def next_pick(problem: Problem, state: State, over: Array, value: Array) -> tuple[str, int]:
    """("new", candidate) or ("refine", snapshot): the worst candidate, or the snapshot it coincides with.

    Parameters stay distinct: a candidate that is a snapshot already asks for that snapshot to be trained further.
    """
    known = np.concatenate(state.parameters)
    worst = int(value.argmax())
    close = int(nearest(problem, known, over[worst : worst + 1])[0])
    gap = np.linalg.norm(problem.scaled(over[worst : worst + 1]) - problem.scaled(known[close : close + 1]))
    if gap > 1e-3:
        return "new", worst
    return "refine", close


class Greedy:
    """The loop itself; `tick(state, text)` after every snapshot, so that a caller can checkpoint and report."""

    def __init__(self, problem: Problem, plan: Plan, device: torch.device, tick: Callable[[State, str], None]) -> None:
        self.problem, self.plan, self.device, self.tick = problem, plan, device, tick
        self.layers = jet_mlp.layer_sizes(problem.coordinates.dimension, plan.width, plan.depth)
        self.over = candidates(problem, plan.seed)

    def run(self, state: State, progress: Callable[[float], None] = lambda done: None) -> tuple[State, Sweep, Grid]:
        """Train until the tolerance, the number of snapshots or the refinements are used up."""
        if not state.theta:
            first = self.problem.unscaled(np.ones((1, self.problem.parameters.dimension)))
            generator = self._generator(0)
            theta = jet_mlp.initial_weights(1, self.layers, generator).to(self.device)
            self._learn(state, first, theta, generator, progress)
        while True:
            grid = domain_grid(self.problem, self.layers, torch.cat(state.theta), self.plan.grid)
            result = sweep(self.problem, self.layers, state, grid, self.over)
            worst = float(result.indicator.max())
            state.indicators = [*state.indicators[: self._work(state) - 1], worst]
            if worst <= self.plan.tolerance or not self._step(state, result, progress):
                return state, result, grid

    def _work(self, state: State) -> int:
        return len(state.theta) + len(state.refined)

    def _generator(self, number: int) -> torch.Generator:
        return torch.Generator().manual_seed(self.plan.seed * 1000 + number)

    def _step(self, state: State, result: Sweep, progress: Callable[[float], None]) -> bool:
        """Train one more snapshot or refine one; False when nothing more may be spent."""
        value = result.indicator.copy()
        spent = {i for i in state.refined if state.refined.count(i) >= 2} if len(state.refined) else set()
        while np.isfinite(value.max()) or np.isinf(value.max()):
            kind, i = next_pick(self.problem, state, self.over, value)
            if kind == "new" and len(state.theta) < self.plan.snapshots:
                parameters = self.over[i : i + 1]
                near = int(nearest(self.problem, np.concatenate(state.parameters), parameters)[0])
                self._learn(state, parameters, state.theta[near], self._generator(self._work(state)), progress)
                return True
            if kind == "refine" and i not in spent and len(state.refined) < self.plan.refinements:
                self._refine(state, i, progress)
                return True
            value[int(value.argmax())] = -1.0
            if value.max() < 0.0:
                return False
        raise TrainingError("greedy loop: the indicator is not a number for every candidate")

    def _learn(
        self,
        state: State,
        mu: Array,
        theta: torch.Tensor,
        generator: torch.Generator,
        progress: Callable[[float], None],
    ) -> None:
        found, residual = self._train(mu, theta, generator, progress)
        state.theta.append(found)
        state.parameters.append(mu)
        state.residuals.append(residual)
        state.picks.append(mu)
        self.tick(state, f"snapshot {len(state.theta)}: {self._label(mu)}, relative residual {residual:.1e}")

    def _refine(self, state: State, i: int, progress: Callable[[float], None]) -> None:
        mu = state.parameters[i]
        state.refined.append(i)
        theta, residual = self._train(mu, state.theta[i], self._generator(self._work(state)), progress)
        if residual < state.residuals[i]:
            state.theta[i], state.residuals[i] = theta, residual
        state.picks.append(mu)
        self.tick(state, f"refined snapshot {i + 1}: {self._label(mu)}, relative residual {state.residuals[i]:.1e}")

    def _train(
        self, mu: Array, theta: torch.Tensor, generator: torch.Generator, progress: Callable[[float], None]
    ) -> tuple[torch.Tensor, float]:
        settings = self.plan.training
        where = torch.from_numpy(mu).to(self.device)

        def tick(iteration: int, residual: float) -> None:
            progress(iteration / settings.iterations)

        found, residual = train(self.problem, self.layers, theta, where, settings, generator, tick)
        if not torch.isfinite(residual).all():
            raise TrainingError(f"snapshot at {self._label(mu)}: the residual never became finite")
        return found, float(residual.max())

    def _label(self, mu: Array) -> str:
        return ", ".join(f"{n} = {v:.4g}" for n, v in zip(self.problem.parameters.names, mu[0], strict=True))


def restrict(plan: Plan, **changes: object) -> Plan:
    """A plan with some fields replaced."""
    return replace(plan, **changes)  # type: ignore[arg-type]
