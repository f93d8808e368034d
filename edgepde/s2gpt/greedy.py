"""The offline stage: snapshots where the reduced model is worst, until it is good enough (arXiv 2506.15687, Algorithm
2).
"""

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

MINIMAL_GAP = 1e-3


@dataclass(frozen=True)
class Plan:
    """The greedy loop's settings: at most `snapshots` functions, stop when the indicator falls below `tolerance`.

    batch: how many snapshots are trained at once; 1 picks best on a CPU, a GPU wants many.
    """

    snapshots: int = 18
    tolerance: float = 1e-4
    refinements: int = 4
    batch: int = 1
    width: int = 20
    depth: int = 2
    grid: int = 5000
    seed: int = 0
    training: Settings = field(default_factory=Settings)


@dataclass(frozen=True)
class Event:
    """One training: a new snapshot or a refinement, at which parameter, and the worst indicator that asked for it."""

    kind: str
    parameter: tuple[float, ...]
    worst: float


@dataclass
class State:
    """What the loop has so far; everything in it is checkpointed. theta: one [1, n] per snapshot, parameters [1, P]."""

    theta: list[torch.Tensor] = field(default_factory=list)
    parameters: list[Array] = field(default_factory=list)
    residuals: list[float] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    refined: list[int] = field(default_factory=list)

    @property
    def work(self) -> int:
        """Trainings done."""
        return len(self.events)


@dataclass(frozen=True)
class Sweep:
    """One pass over all candidates: coefficients [K, N], indicator [K] (inf where not converged), the basis and its
    rows.

    worst: the largest finite indicator, of candidates that did not converge too.
    """

    basis: EmpiricalBasis
    rows: Rows
    coefficients: Array
    indicator: Array
    worst: float


def indicator(problem: Problem, grid: Grid, residual: Array) -> Array:
    """int w |r| dx with the problem's L1 stability weight, else the RMS of r: [K, R] -> [K]; not finite counts as
    inf.
    """
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
    """Solve every candidate [K, P] on quadrature-weighted rows of the grid, judge it on the points it did not see."""
    theta = torch.cat(state.theta)
    known = np.concatenate(state.parameters)
    raw = tabulate(problem, layers, theta, np.eye(len(theta)), grid.points, (*problem.factors, "u"))
    basis = empirical_basis(raw[-1])
    table = raw[:-1] @ basis.transform
    stride = max(2, len(grid.points) // max(40 * len(theta), 400))
    chosen = np.unique(np.concatenate([np.arange(0, len(grid.points), stride), basis.indices]))
    rows = Rows(grid.points[chosen], np.sqrt(grid.weights[chosen]), table[:, chosen])
    guess = basis.snapshot_coefficients[nearest(problem, known, over)]
    coefficients, converged = solve_rows(problem, rows, over, guess)
    everywhere = Rows(grid.points, np.ones(len(grid.points)), table)
    unseen = grid.weights.copy()
    unseen[chosen] = 0.0
    unseen *= grid.weights.sum() / unseen.sum()
    value = indicator(problem, replace(grid, weights=unseen), residual_at(problem, everywhere, over, coefficients))
    finite = value[np.isfinite(value)]
    worst = float(finite.max()) if len(finite) else float("inf")
    return Sweep(basis, everywhere, coefficients, np.where(converged, value, np.inf), worst)


def next_picks(problem: Problem, plan: Plan, state: State, over: Array, value: Array) -> tuple[str, list[int]]:
    """("new", candidates) or ("refine", [snapshot]): the worst candidates, or the snapshot that the worst one is.

    Parameters stay distinct: a candidate that is a snapshot asks for that snapshot to be trained further, twice at
    most. ("stop", []) when neither is left to do.
    """
    room = min(plan.snapshots - len(state.parameters), plan.batch)
    least = MINIMAL_GAP if plan.batch == 1 else 0.5 / plan.snapshots
    gap = _gaps(problem, over, np.concatenate(state.parameters))
    for i in np.argsort(-value, kind="stable"):
        close = int(gap[i].argmin())
        if gap[i, close] <= least and _may_refine(plan, state, close):
            return "refine", [close]
        if gap[i, close] > least and room > 0:
            return "new", _batch(_gaps(problem, over, over), gap.min(axis=1) > least, value, int(i), room, least)
    return "stop", []


def _batch(apart: Array, free: NDArray[np.bool_], value: Array, first: int, room: int, least: float) -> list[int]:
    """`first` and up to room - 1 more `free` candidates: each the worst of value * prod distance to the picks before.

    Without the product a batch crowds around its worst candidate, where one snapshot would do.
    """
    finite = value[np.isfinite(value)]
    urgency = np.where(np.isfinite(value), value, 2.0 * finite.max() if len(finite) else 1.0)
    chosen = [first]
    while len(chosen) < room:
        urgency = urgency * apart[chosen[-1]]
        open_ = np.where(free & (apart[chosen].min(axis=0) > least), urgency, -1.0)
        if open_.max() < 0.0:
            break
        chosen.append(int(open_.argmax()))
    return chosen


def _gaps(problem: Problem, left: Array, right: Array) -> Array:
    """Distances on the problem's scales: [K, P], [N, P] -> [K, N]."""
    return np.asarray(np.linalg.norm(problem.scaled(left)[:, None] - problem.scaled(right)[None], axis=2))


def _may_refine(plan: Plan, state: State, snapshot: int) -> bool:
    return len(state.refined) < plan.refinements and state.refined.count(snapshot) < 2


def first_parameters(problem: Problem, over: Array, count: int) -> Array:
    """Where to begin: the upper corner of the box for one snapshot, else candidates spread evenly: [count, P]."""
    if count == 1:
        return problem.unscaled(np.ones((1, problem.parameters.dimension)))
    return over[np.unique(np.linspace(0, len(over) - 1, count).round().astype(int))]


class Greedy:
    """The loop itself; `tick(state, text)` after every training, so that a caller can checkpoint and report."""

    def __init__(
        self,
        problem: Problem,
        plan: Plan,
        device: torch.device,
        tick: Callable[[State, str], None],
        progress: Callable[[float], None] = lambda done: None,
    ) -> None:
        self.problem, self.plan, self.device = problem, plan, device
        self.tick, self.progress = tick, progress
        self.layers = jet_mlp.layer_sizes(problem.coordinates.dimension, plan.width, plan.depth)
        self.over = candidates(problem, plan.seed)

    def run(self, state: State) -> tuple[State, Sweep, Grid]:
        """Train until the tolerance, the number of snapshots or the refinements are used up."""
        if not state.theta:
            self._begin(state)
        while True:
            grid = domain_grid(self.problem, self.layers, torch.cat(state.theta), self.plan.grid)
            result = sweep(self.problem, self.layers, state, grid, self.over)
            if result.indicator.max() <= self.plan.tolerance:
                return state, result, grid
            kind, chosen = next_picks(self.problem, self.plan, state, self.over, result.indicator)
            if kind == "stop":
                return state, result, grid
            if kind == "new":
                self._learn(state, self.over[chosen], result.worst)
            else:
                self._refine(state, chosen[0], result.worst)

    def _generator(self, state: State) -> torch.Generator:
        return torch.Generator().manual_seed(self.plan.seed * 1000 + state.work)

    def _begin(self, state: State) -> None:
        mu = first_parameters(self.problem, self.over, min(self.plan.batch, self.plan.snapshots))
        generator = self._generator(state)
        theta = jet_mlp.initial_weights(len(mu), self.layers, generator)
        self._add(state, mu, *self._train(mu, theta, generator), float("inf"))

    def _learn(self, state: State, mu: Array, worst: float) -> None:
        near = nearest(self.problem, np.concatenate(state.parameters), mu)
        theta = torch.cat([state.theta[i] for i in near])
        self._add(state, mu, *self._train(mu, theta, self._generator(state)), worst)

    def _add(self, state: State, mu: Array, theta: torch.Tensor, residual: torch.Tensor, worst: float) -> None:
        for i in range(len(mu)):
            state.theta.append(theta[i : i + 1])
            state.parameters.append(mu[i : i + 1])
            state.residuals.append(float(residual[i]))
            state.events.append(Event("new", tuple(mu[i].tolist()), worst))
        label = "; ".join(self._label(row) for row in mu)
        self.tick(state, f"snapshot {len(state.theta)}: {label}, relative residual {float(residual.max()):.1e}")

    def _refine(self, state: State, i: int, worst: float) -> None:
        mu = state.parameters[i]
        theta, residual = self._train(mu, state.theta[i], self._generator(state))
        if float(residual.max()) < state.residuals[i]:
            state.theta[i], state.residuals[i] = theta, float(residual.max())
        state.refined.append(i)
        state.events.append(Event("refine", tuple(mu[0].tolist()), worst))
        self.tick(state, f"snapshot {i + 1} refined: {self._label(mu[0])}, relative residual {state.residuals[i]:.1e}")

    def _train(self, mu: Array, theta: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Train on the device; what the loop keeps and sweeps with is on the CPU."""
        settings = self.plan.training
        found, residual = train(
            self.problem,
            self.layers,
            theta.to(self.device),
            torch.from_numpy(mu).to(self.device),
            settings,
            generator,
            lambda iteration, _: self.progress(iteration / settings.iterations),
        )
        if not torch.isfinite(residual).all():
            bad = int((~torch.isfinite(residual)).nonzero()[0])
            raise TrainingError(f"snapshot at {self._label(mu[bad])}: the residual never became finite")
        return found.cpu(), residual.cpu()

    def _label(self, mu: Array) -> str:
        return ", ".join(f"{n} = {v:.4g}" for n, v in zip(self.problem.parameters.names, mu, strict=True))
