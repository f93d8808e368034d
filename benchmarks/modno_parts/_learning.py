"""Tasks and branches for the parts that compare ways of training: operators with linear parts fitted, data by seed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _harness import say

from edgepde.modno.branches._branch import Branch, reading
from edgepde.modno.branches.mlp import Mlp
from edgepde.modno.prepared import Prepared, held, prepare
from edgepde.modno.sizes import encoding_of, input_modes, output_sizes
from edgepde.modno.training.preparing import distinct_inputs, gridded_task, spectral_task
from edgepde.modno.training.task import Task
from edgepde.problems import operators
from edgepde.problems.operator_data import OperatorData, generate

CURVED = (
    "sine_gordon", "porous_medium_2", "viscous_burgers", "kdv", "cahn_hilliard", "mix_cahn_hilliard",
    "mix_viscous_burgers",
)  # fmt: skip
QUICK = ("sine_gordon", "viscous_burgers", "cahn_hilliard")
TIMES, PLACES = 12, 32
"""Of the grid on which trunks that are networks learn."""


@dataclass(frozen=True)
class Size:
    """Operators; cases of each to learn from, to choose by, to measure on; hidden widths and features of a branch."""

    names: tuple[str, ...]
    training: int
    validation: int
    test: int
    widths: tuple[int, ...]
    features: int


def size(quick: bool) -> Size:
    """The whole question, or a small one."""
    return Size(QUICK, 60, 30, 30, (32,), 16) if quick else Size(CURVED, 300, 100, 200, (100, 100), 64)


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is learned: tasks whose held cases are to choose by, and the same with cases to measure on."""

    spectral: list[Task]
    gridded: list[Task]
    measured: dict[str, Task]
    measured_gridded: dict[str, Task]

    def tasks(self, trunk: str) -> list[Task]:
        """For trunks of a kind."""
        return self.gridded if trunk == "network" else self.spectral


@cache
def lesson(what: Size, seed: int) -> Lesson:
    """Draw and prepare."""
    say(f"  {len(what.names)} operators, seed {seed}")
    data = {name: drawn(what, name, seed) for name in what.names}
    first = [parts[0] for parts in data.values()]
    encoding = encoding_of(first, max(input_modes(one) for one in first))
    prepared: dict[str, list[Prepared]] = {}
    for name, parts in data.items():
        horizon = operators.operator(name).horizon
        fitted = prepare(parts[0], encoding, *output_sizes(parts[0], horizon), True, horizon)
        prepared[name] = [fitted, *(held(one, encoding, fitted) for one in parts[1:])]
    t = 0.5 * (1.0 - np.cos(np.pi * np.arange(TIMES) / (TIMES - 1)))
    x = encoding.period * np.arange(PLACES) / PLACES

    def gridded(pair: list[Prepared]) -> Task:
        return gridded_task(pair[0], pair[1], encoding.period, t, x)

    return Lesson(
        [spectral_task(p[0], p[1]) for p in prepared.values()],
        [gridded(p[:2]) for p in prepared.values()],
        {name: spectral_task(p[0], p[2]) for name, p in prepared.items()},
        {name: gridded([p[0], p[2]]) for name, p in prepared.items()},
    )


def branch(what: Size, tasks: Sequence[Task], seed: int) -> Branch:
    """A fresh one that reads coefficients over their spread."""
    inputs = distinct_inputs(tasks)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = Mlp(inputs.shape[1], what.features, what.widths).to(inputs.dtype)
    made.scale.copy_(reading(inputs.square().mean(0)))
    return made


def geometric(errors: Sequence[float]) -> float:
    """Geometric mean of errors."""
    return float(np.exp(np.mean(np.log(np.maximum(errors, 1e-15)))))


def kept(runs: Path, name: str, make: Callable[[], Any]) -> Any:
    """What a file in `runs` says, or what is made and then written there."""
    path = runs / f"{name}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    made = make()
    path.write_text(json.dumps(made), encoding="utf-8")
    return made


def drawn(what: Size, name: str, seed: int) -> list[OperatorData]:
    train = generate(name, what.training, seed, points=128)
    times = train.times
    held_out = generate(name, what.validation, seed, split="validation", points=128, times=times)
    fresh = generate(name, what.test, seed, split="test", points=128, times=times)
    return [train, held_out, replace(fresh, name=name)]
