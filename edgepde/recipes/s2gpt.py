"""How any problem becomes an S2GPT run: greedy snapshots, sparse rows, one reduced model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgepde.errors import SettingError
from edgepde.problems.problem import Problem
from edgepde.s2gpt import store
from edgepde.s2gpt.assemble import assemble
from edgepde.s2gpt.errors import held_out_error
from edgepde.s2gpt.greedy import Event, Greedy, Plan, State, Sweep
from edgepde.s2gpt.grid import Grid
from edgepde.s2gpt.snapshot import Settings
from edgepde.train.problem_source import of_file
from edgepde.train.run_folder import Run
from edgepde.train.threads import one_thread

CHECKPOINT = "greedy"
GPU_BATCH = 8


@dataclass(frozen=True)
class Config:
    """Settings of the greedy loop and of each snapshot's training.

    snapshots: at most so many basis functions. tolerance: stop when the worst indicator falls below it.
    refinements: how often a snapshot may be trained further. batch: snapshots trained at once, 0 = 1 on a CPU, 8 on
    a GPU.
    iterations, points: Levenberg-Marquardt steps per snapshot and collocation points per step.
    """

    snapshots: int = 16
    tolerance: float = 1e-5
    refinements: int = 4
    batch: int = 0
    width: int = 20
    depth: int = 2
    iterations: int = 300
    points: int = 1000
    residual: float = 1e-5
    grid: int = 5000

    def __post_init__(self) -> None:
        least = {"snapshots": 1, "refinements": 0, "batch": 0, "width": 1, "depth": 1, "iterations": 1, "points": 10}
        for name, smallest in {**least, "grid": 100}.items():
            if getattr(self, name) < smallest:
                raise SettingError(f"{name}: expected at least {smallest}, got {getattr(self, name)}")

    def quick(self) -> Config:
        """A small trial of the same thing."""
        return replace(self, snapshots=6, refinements=1, width=12, iterations=100, points=600, grid=2500)


def plan_of(config: Config, seed: int, device: torch.device) -> Plan:
    """The greedy loop's plan."""
    return Plan(
        snapshots=config.snapshots,
        tolerance=config.tolerance,
        refinements=config.refinements,
        batch=config.batch or (GPU_BATCH if device.type == "cuda" else 1),
        width=config.width,
        depth=config.depth,
        grid=config.grid,
        seed=seed,
        training=Settings(iterations=config.iterations, points=config.points, tolerance=config.residual),
    )


def train_problem(
    problem: Problem, config: Config, run: Run, device: torch.device, source: Mapping[str, Any] | Path
) -> None:
    """Train a reduced model of `problem` into `run`, on one CPU thread or the GPU; source: where to find the problem.

    Every finished snapshot is kept in the run's checkpoint; an interrupted training resumes after the last one.
    """
    if run.data is not None:
        run.data.check_inside(problem.parameters, problem.coordinates)
    origin = {"name": problem.name, **(of_file(source) if isinstance(source, Path) else source)}
    state, spent = _restored(run)
    plan = plan_of(config, run.seed, device)
    clock = Clock(spent)
    with one_thread():
        greedy, state, result, grid = _greedy(problem, plan, run, device, state, clock)
        model, trials = assemble(problem, greedy.layers, state, result, grid, greedy.over, plan.seed)
    run.finish(
        store.model_tensors(model),
        {
            "family": store.FAMILY,
            "architecture": f"{config.depth} tanh layers of {config.width}, {model.size} snapshots",
            "problem": origin,
            "box": store.boxes(problem),
            "units": {"u": problem.unit},
            "history": {
                "events": [asdict(event) for event in state.events],
                "final_indicator": result.worst,
                "row_trials": [asdict(trial) for trial in trials],
                "snapshot_residuals": state.residuals,
                "offline_seconds": clock.seconds,
                "reference_seconds": reference_seconds(problem),
                "held_out": asdict(held_out_error(model, run.data)) if run.data is not None else None,
                "device": device.type,
            },
            store.FAMILY: store.model_section(model, grid.axes),
        },
    )


class Clock:
    """Seconds spent on a training, those before an interruption included."""

    def __init__(self, spent: float) -> None:
        self._spent, self._began = spent, time.monotonic()

    @property
    def seconds(self) -> float:
        """All seconds so far."""
        return self._spent + time.monotonic() - self._began


def _greedy(
    problem: Problem, plan: Plan, run: Run, device: torch.device, state: State, clock: Clock
) -> tuple[Greedy, State, Sweep, Grid]:
    """The greedy loop under a progress bar, every training kept in the run's checkpoint."""
    total = plan.snapshots + plan.refinements
    with run.progress(f"snapshots of {problem.name}", total) as bar, torch.no_grad():

        def tick(state: State, text: str) -> None:
            _keep(run, state, clock.seconds)
            bar.update(state.work)
            bar.note(text)

        bar.update(state.work)
        greedy = Greedy(problem, plan, device, tick, lambda part: bar.update(state.work + part))
        state, result, grid = greedy.run(state)
        bar.update(total)
        lost = int(np.isinf(result.indicator).sum())
        warning = f"; {lost} of {len(greedy.over)} parameters do not converge: train more snapshots" if lost else ""
        bar.note(f"{len(state.theta)} functions, worst indicator {result.worst:.1e}{warning}")
    return greedy, state, result, grid


def reference_seconds(problem: Problem, points: int = 10_000) -> float | None:
    """Seconds the reference solution takes for one field of 10,000 points; None where the problem has none."""
    if problem.reference is None:
        return None
    rng = np.random.default_rng(0)
    middle = problem.unscaled(np.zeros((1, problem.parameters.dimension)))
    where = problem.coordinates.sample(points, rng)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        problem.reference(middle, where)
        times.append(time.perf_counter() - began)
    return sorted(times)[1]


def _keep(run: Run, state: State, seconds: float) -> None:
    meta = {
        "residuals": state.residuals,
        "events": [asdict(event) for event in state.events],
        "refined": state.refined,
        "seconds": seconds,
    }
    tensors = {"theta": torch.cat(state.theta).cpu(), "parameters": torch.from_numpy(np.concatenate(state.parameters))}
    run.save(CHECKPOINT, tensors, meta)


def _restored(run: Run) -> tuple[State, float]:
    kept = run.restore(CHECKPOINT)
    if kept is None:
        return State(), 0.0
    tensors, meta = kept
    events = [Event(e["kind"], tuple(e["parameter"]), float(e["worst"])) for e in meta["events"]]
    theta, parameters = tensors["theta"], tensors["parameters"].numpy()
    state = State(
        theta=[theta[i : i + 1] for i in range(len(theta))],
        parameters=[parameters[i : i + 1] for i in range(len(parameters))],
        residuals=list(meta["residuals"]),
        events=events,
        refined=list(meta["refined"]),
    )
    return state, float(meta["seconds"])
