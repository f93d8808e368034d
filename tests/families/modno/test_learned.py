"""Branches that the closed form takes from elsewhere: one found by gradients, and its own after gradients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgepde.modno.branches.gaussian import Gaussian
from edgepde.modno.branches.mlp import Mlp
from edgepde.modno.closed_form import Closed, fit
from edgepde.modno.closed_form.member import Member
from edgepde.modno.figures import errors
from edgepde.modno.training.learned import VARPRO, Learned, Learner
from edgepde.modno.training.polishing import POLISH, polish, task_of
from edgepde.problems.operator_data import OperatorData, generate
from edgepde.train.run_folder import Run

NAMES = ("viscous_burgers", "wave")
HOW = Closed(units=24, features=8, rank=6, more=0)


def drawn(split: str, count: int) -> list[OperatorData]:
    times = np.linspace(0.0, 0.5, 7)
    return [generate(n, count, 0, split=split, points=32, times=times, sensors=12) for n in NAMES]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def data() -> tuple[list[OperatorData], list[OperatorData]]:
    return drawn("train", 40), drawn("validation", 10)


@pytest.fixture(scope="module")
def members(data: tuple[list[OperatorData], list[OperatorData]]) -> list[Member]:
    seen: list[Member] = []

    def learn(given: object) -> Learned:
        assert isinstance(given, list)
        seen.extend(given)
        return Learned(Mlp(given[0].inputs.shape[1], 4, (6,)).double())

    fit(*data, HOW, learn=learn)
    return seen


def learner(run: Run | None = None) -> Learner:
    return Learner((16,), 8, replace(VARPRO, steps=12, check=4, batch=20), run)


def test_a_learned_branch_is_what_ships(data: tuple[list[OperatorData], list[OperatorData]]) -> None:
    one = learner()
    found = fit(*data, HOW, learn=one)
    assert isinstance(found.model.branch, Mlp)
    assert found.figures["wave"]["chosen"] == "linear"
    assert one.fitted is not None
    assert set(one.fitted.operators) == {"viscous_burgers"}
    figures = found.figures["viscous_burgers"]
    assert figures["error"] < 0.85 * figures["linear"]
    measured = errors(found.model, found.cassettes["viscous_burgers"], data[1][0]).mean
    assert measured == pytest.approx(figures["error"], rel=0.02)


def test_learning_is_repeatable_and_resumes(
    data: tuple[list[OperatorData], list[OperatorData]], tmp_path: Path
) -> None:
    with Run.start(tmp_path / "run", {}) as run:
        first, again = (fit(*data, HOW, learn=learner(run)) for _ in range(2))
        assert run.names() == ["branch"]
    plain = fit(*data, HOW, learn=learner())
    for other in (again, plain):
        for a, b in zip(first.model.branch.parameters(), other.model.branch.parameters(), strict=True):
            assert torch.equal(a, b)


def test_a_task_has_the_errors_of_its_member(members: list[Member]) -> None:
    member, task = members[0], task_of(members[0])
    rng = np.random.default_rng(0)
    found = 0.1 * rng.standard_normal((len(member.held.inputs), member.targets.shape[1]))
    wanted = member.held.error(found @ member.held.lift(member.rows))
    assert task.held.error(torch.from_numpy(found)) == pytest.approx(wanted, rel=1e-9)
    assert len(task.train) == len(member.inputs)


def test_a_polish_never_makes_the_held_error_larger(members: list[Member]) -> None:
    draw = np.random.default_rng(1)
    x = torch.from_numpy(members[0].inputs[:10])
    branch = Gaussian.of(x, 1.0, torch.from_numpy(draw.standard_normal((10, 4))))
    found = polish(branch, members, replace(POLISH, steps=6, check=2))
    assert found.after["viscous_burgers"] <= found.before["viscous_burgers"]
    assert "->" in found.lines()[0]
    wild = polish(branch, members, replace(POLISH, steps=4, check=2, branch_rate=10.0))
    assert wild.after["viscous_burgers"] <= wild.before["viscous_burgers"] * (1 + 1e-9)
