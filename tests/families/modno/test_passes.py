"""Passes that are told are those that ran: rows through the branch's units, rows of every solve, of every training."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from edgepde.modno import by_gradients, making
from edgepde.modno.cases import Cases, drawn
from edgepde.modno.closed_form import Closed, fit, solving, taking
from edgepde.modno.closed_form.features import Units
from edgepde.modno.settings import Settings
from edgepde.modno.training.passes import Passes
from edgepde.modno.training.trainer import Trainer
from edgepde.modno.training_run import common_encoding
from edgepde.train.ranks import Alone
from edgepde.train.run_folder import Run

HOW = Settings(
    operators=("viscous_burgers", "sine_gordon"), samples=32, validation=4, test=1, sensors=12, scheme="joint",
    widths=(4,), features=3, rank=2, steps=2,
)  # fmt: skip


def some(how: Settings = HOW) -> list[Cases]:
    return [drawn(name, how, 0) for name in how.operators]


def fitted(mine: list[Cases], **how: Any) -> Passes:
    return fit([one.train for one in mine], [one.validation for one in mine], Closed(units=8, features=4, **how)).passes


@pytest.mark.parametrize("images", [False, True])
def test_the_closed_form_counts_what_runs(monkeypatch: pytest.MonkeyPatch, images: bool) -> None:
    ran: Counter[str] = Counter()

    def watched(owner: Any, name: str, part: str, place: int) -> None:
        whole = getattr(owner, name)

        def counted(*given: Any) -> Any:
            ran[part] += len(given[place])
            ran[name] += 1
            return whole(*given)

        monkeypatch.setattr(owner, name, counted)

    watched(Units, "plain", "branch", 1)
    watched(solving, "Ridge", "trunk", 0)
    watched(taking, "prepare", "trunk", 0)
    found = fitted(some(), more=0, images=images)
    assert found.branch_forward + found.held == ran["branch"]
    assert found.trunk_forward == found.trunk_backward == ran["trunk"]
    assert found.held == 4 * ran["Ridge"]
    assert (ran["Ridge"] > 4) == images, "images are compared with none of them"
    assert found.branch_backward == 0


def test_in_closed_form_a_case_is_read_twice_and_solved_four_times() -> None:
    found = fitted(some(), more=0, images=False)
    assert found.branch_forward == 2 * 64 + 32, "the joint solve, the operator's own, and every input that differs"
    assert found.trunk_forward == 4 * 64, (
        "its linear part with and without further cases, the joint solve, the operator's own"
    )


def test_a_linear_operator_is_solved_alone() -> None:
    linear = [drawn("advection", HOW, 0)]
    both = fitted(linear, more=0)
    assert both.trunk_forward == 32 + 32, "the linear part, and the branch that has nobody else to serve"


def test_passes_that_find_groups_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainers: list[Trainer] = []
    begin = Trainer.__init__

    def noted(trainer: Trainer, *given: Any, **named: Any) -> None:
        begin(trainer, *given, **named)
        trainers.append(trainer)

    monkeypatch.setattr(Trainer, "__init__", noted)
    how = Settings(**{**vars(HOW), "groups": 2, "delta": 1})
    mine = some(how)
    with Run.start(tmp_path / "run", {"seed": 0}) as run:
        found = by_gradients.learned(mine, common_encoding(mine, Alone()), how, Alone(), run, torch.device("cpu"))
        run.finished = True
    assert len(trainers) == 4, "one that compares, one that trains, a change for each operator"
    probed = trainers[0].passes.counts()
    assert probed["branch_backward"] > 0
    # passes of changes are added to those of the training, which trainers[1] holds
    wanted = {name: count + probed[name] for name, count in trainers[1].passes.counts().items()}
    assert found.passes == wanted | {name: wanted[name] + 64 for name in ("trunk_forward", "trunk_backward")}


def test_a_run_in_closed_form_tells_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "Closed", partial(Closed, more=0))
    mine = some()
    made = making.closed(mine, Settings(**{**vars(HOW), "scheme": "closed", "samples": 32}))
    said = fit([one.train for one in mine], [one.validation for one in mine], Closed(features=3, rank=2, more=0))
    assert made.passes == said.passes.counts()
