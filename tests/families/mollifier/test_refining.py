"""Training the network behind an estimator: it resumes to the same numbers, keeps its best epoch, learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgepde.mollifier.device import refining
from edgepde.mollifier.device.draws import Draws
from edgepde.mollifier.device.refining import refine
from edgepde.mollifier.grid import Grid
from edgepde.mollifier.members.estimator import Estimator
from edgepde.mollifier.members.refined import Refined
from edgepde.problems.heat_field import HeatField
from edgepde.train.run_folder import Run

HOW = Refined(Estimator("heat_field", (3, 4, 4), (2, 4, 4), count=7, scale=0.02, low=0.0048, high=0.0192), 4, 3)
PROBLEM = HeatField(points=13, frames=9, fine=13)
GRID = Grid.of(None, **PROBLEM.axes)
CPU = torch.device("cpu")


def draws(first: int, count: int) -> Draws:
    cases = [PROBLEM.case(first + k) for k in range(count)]
    lam, readings = (torch.from_numpy(np.stack([getattr(c, n) for c in cases])).float() for n in ("lam", "readings"))
    return Draws(lam, readings.flatten(1))


TRAINING, VALIDATION = draws(0, 12), draws(100, 4)


def test_an_interrupted_training_ends_with_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refining, "EVERY", 1)
    with Run.start(tmp_path / "whole", {"seed": 3}) as run:
        whole = refine(HOW, GRID, TRAINING, VALIDATION, 4, 1e-2, run, CPU)
    epoch, counted = refining._epoch, [0]

    def twice(*given: Any) -> None:
        counted[0] += 1
        if counted[0] > 2:
            raise KeyboardInterrupt
        epoch(*given)

    with monkeypatch.context() as patch:
        patch.setattr(refining, "_epoch", twice)
        with pytest.raises(KeyboardInterrupt), Run.start(tmp_path / "run", {"seed": 3}) as run:
            refine(HOW, GRID, TRAINING, VALIDATION, 4, 1e-2, run, CPU)
    with Run.start(tmp_path / "run", {"seed": 3}) as run:
        again = refine(HOW, GRID, TRAINING, VALIDATION, 4, 1e-2, run, CPU)
    assert (again.epoch, again.error) == (whole.epoch, whole.error)
    for a, b in zip(whole.module.parameters(), again.module.parameters(), strict=True):
        assert torch.equal(a, b)


def test_it_learns_and_on_validation_draws_is_never_worse_than_the_estimator(tmp_path: Path) -> None:
    with Run.start(tmp_path / "run", {"seed": 0}) as run:
        made = refine(HOW, GRID, TRAINING, TRAINING, 25, 1e-2, run, CPU)
    with Run.start(tmp_path / "none", {"seed": 0}) as run:
        none = refine(HOW, GRID, TRAINING, TRAINING, 0, 1e-2, run, CPU)
    assert made.error < 0.95 * none.error
    with Run.start(tmp_path / "still", {"seed": 0}) as run:
        still = refine(HOW, GRID, TRAINING, VALIDATION, 0, 1e-2, run, CPU)
    with Run.start(tmp_path / "wild", {"seed": 0}) as run:
        wild = refine(HOW, GRID, TRAINING, VALIDATION, 2, 10.0, run, CPU)
    assert wild.error <= still.error
