"""A tiny Burgers model, trained once for all tests of the family s2gpt."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgepde.problems.burgers import burgers
from edgepde.problems.problem import Problem
from edgepde.s2gpt.assemble import RowTrial, assemble
from edgepde.s2gpt.field_table import FieldTable, build_table
from edgepde.s2gpt.greedy import Greedy, Plan, State, Sweep
from edgepde.s2gpt.grid import Grid
from edgepde.s2gpt.reduced import ReducedModel
from edgepde.s2gpt.snapshot import Settings

TABLE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Tiny:
    """Everything the training of the tiny model came by; `stages` are copies of the state after every training."""

    problem: Problem
    plan: Plan
    stages: list[State]
    state: State
    sweep: Sweep
    grid: Grid
    over: NDArray[np.float64]
    model: ReducedModel
    trials: list[RowTrial]
    table: FieldTable


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    """burgers(0.2, 1): four snapshots of width 8, one refined."""
    problem = burgers(0.2, 1.0)
    training = Settings(iterations=40, points=200, resample_every=20, tolerance=1e-6)
    plan = Plan(snapshots=4, tolerance=0.0, refinements=1, width=8, grid=400, training=training)
    stages: list[State] = []
    greedy = Greedy(problem, plan, torch.device("cpu"), lambda state, _: stages.append(copy.deepcopy(state)))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks this small only wait for each other
    state, sweep, grid = greedy.run(State())
    torch.set_num_threads(threads)
    model, trials = assemble(problem, greedy.layers, state, sweep, grid, greedy.over, plan.seed)
    coefficients, converged = model.solve(greedy.over)
    table, _ = build_table(model.basis, coefficients[converged], grid.axes, TABLE_TOLERANCE)
    return Tiny(problem, plan, stages, state, sweep, grid, greedy.over, model, trials, table)
