"""The trainer: what moves, what is counted, what is kept, resuming bit for bit, operators that do not touch others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from families.modno.training_cases import CASES, COLUMNS, HELD, HOWS, INPUTS, branch, part, task, tasks
from torch import Tensor

from edgepde.errors import DataError, SettingError, TrainingError
from edgepde.modno.branches._branch import Branch
from edgepde.modno.branches.grouped import Grouped
from edgepde.modno.training.fitting import Fitted, fit
from edgepde.modno.training.settings import Fit
from edgepde.modno.training.task import Part, Task
from edgepde.modno.training.trainer import Trainer
from edgepde.train.run_folder import Run


def numbers(branch: Branch, fitted: Fitted) -> dict[str, Tensor]:
    found = {f"branch.{k}": t for k, t in branch.state_dict().items()}
    for name, made in fitted.operators.items():
        found[name] = made.basis
        found |= {f"{name}.{at}": t for at, t in enumerate(made.delta or ())}
    return found


def same(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(t, second[k]) for k, t in first.items())


# --- what moves ---------------------------------------------------------------------------------------------------


def test_alternating_with_the_branch_held_is_fitting_trunks_alone() -> None:
    how = Fit(scheme="alternating", steps=6, check=6, branch_rate=0.0, warm=0.0, rate=1e-2, refit=False, appended=False)
    made, only = branch(), task("a")
    trainer = Trainer(made, [only], how)
    for _ in range(6):
        trainer.step()

    features = made(only.train.inputs).detach()
    basis = torch.zeros(features.shape[1], COLUMNS, dtype=torch.float64, requires_grad=True)
    scale = float(only.train.targets.norm(dim=1).square().mean().sqrt())
    optimizer = torch.optim.Adam([basis], 1e-2)
    for step in range(6):
        optimizer.param_groups[0]["lr"] = 1e-2 * 0.5 * (1 + math.cos(math.pi * step / 6))
        optimizer.zero_grad()
        away = (features @ basis - only.train.targets / scale).square().sum(1)
        (away / (only.train.norms / scale).square()).mean().backward()
        optimizer.step()
    assert torch.allclose(trainer.members[0].trunk.basis(), basis, rtol=1e-10, atol=1e-13)
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), branch().parameters(), strict=True))


@pytest.mark.parametrize("name", ["joint", "varpro", "alternating"])
def test_slopes_of_two_processes_add_up_to_those_of_one(name: str) -> None:
    whole = Trainer(branch(), tasks(), HOWS[name])
    parts = [Trainer(branch(), some, HOWS[name]) for some in (tasks()[:1], tasks()[1:])]
    for _ in range(4):
        whole.step()
        total = torch.stack([p.slope() for p in parts]).sum(0)
        for p in parts:
            p.apply(total.clone())
    for p in parts:
        for a, b in zip(p.branch.parameters(), whole.branch.parameters(), strict=True):
            assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)


def test_the_branch_sees_a_share_of_the_cases_and_the_trunk_all() -> None:
    trainer = Trainer(branch(), [task("a")], replace(HOWS["alternating-spectral"], q=0.5, batch=0))
    trainer.slope()
    assert trainer.passes.branch_backward == CASES // 2
    assert trainer.passes.trunk_backward == CASES


def test_every_case_is_seen_once_before_any_is_seen_twice() -> None:
    member = Trainer(branch(), [task("a")], replace(HOWS["joint"], batch=5)).members[0]
    seen = torch.cat([member.rows(step) for step in range(12)])
    assert len(seen) == 60
    for epoch in range(5):
        assert sorted(seen[epoch * CASES : (epoch + 1) * CASES].tolist()) == list(range(CASES))


def test_a_grouped_operator_moves_its_own_part_alone() -> None:
    made = branch("grouped")
    assert isinstance(made, Grouped)
    before = [p.clone() for p in made.part(1).parameters()]
    Trainer(made, [task("a")], HOWS["joint"], groups={"a": 0}).step()
    assert all(torch.equal(a, b) for a, b in zip(made.part(1).parameters(), before, strict=True))


@pytest.mark.parametrize("scheme", ["alternating", "joint", "varpro"])
def test_a_delta_is_trained_by_every_scheme(scheme: str) -> None:
    trainer = Trainer(branch(), tasks("ab"), HOWS[scheme], deltas={"a": 2})
    trainer.step()
    trainer.step()
    delta = trainer.members[0].delta
    assert delta is not None
    assert bool(delta.right.any())
    assert trainer.members[1].delta is None


# --- normalisation ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(HOWS))
def test_the_size_of_an_operator_is_nothing_to_the_others(name: str) -> None:
    first, second = branch(), branch()
    plain = fit(first, [task("a"), task("b")], HOWS[name])
    large = fit(second, [task("a", 1000.0), task("b")], HOWS[name])
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=1e-7, atol=1e-9)
    assert torch.allclose(plain.operators["b"].basis, large.operators["b"].basis, rtol=1e-6, atol=1e-9)
    assert torch.allclose(1000 * plain.operators["a"].basis, large.operators["a"].basis, rtol=1e-6, atol=1e-6)
    assert large.operators["a"].error == pytest.approx(plain.operators["a"].error, rel=1e-6)


def test_an_operator_with_nothing_left_to_learn_is_no_trouble() -> None:
    exact = [Part(p.inputs, torch.zeros_like(p.targets), p.norms) for p in (task("a").train, task("a").held)]
    for name in ("joint-log", "varpro-loo", "alternating-spectral"):
        found = fit(branch(), [Task("a", *exact), task("b")], HOWS[name])
        assert found.operators["a"].error == 0.0
        assert not bool(found.operators["a"].basis.any())


# --- passes -------------------------------------------------------------------------------------------------------


def watched(made: Branch) -> dict[str, int]:
    """Counts rows through a branch, forward and backward, on their own."""
    seen = {"forward": 0, "backward": 0}
    plain = made.encode

    def encode(x: Tensor) -> Tensor:
        found = plain(x)
        seen["forward"] += len(x)
        if found.requires_grad:
            found.register_hook(lambda slope: seen.update(backward=seen["backward"] + len(slope)))
        return found

    made.encode = encode  # type: ignore[method-assign]
    return seen


@pytest.mark.parametrize("name", sorted(HOWS))
@pytest.mark.parametrize("deltas", [{}, {"b": 1}])
def test_passes_of_the_branch_are_those_that_ran(name: str, deltas: dict[str, int]) -> None:
    made = branch()
    seen = watched(made)
    passes = fit(made, tasks(), HOWS[name], deltas=deltas).passes
    refits = 0 if "network" in HOWS[name].trunk else 3 * HELD
    assert passes.branch_forward + passes.held == seen["forward"] - refits
    assert passes.branch_backward == seen["backward"]


def counts(alternating: bool, q: float = 1.0) -> Callable[[int], dict[str, int]]:
    """Of n steps of one operator on all its cases."""

    def of(n: int) -> dict[str, int]:
        some = math.ceil(q * CASES) if alternating else 0
        return {
            "branch_forward": n * (CASES + some),
            "branch_backward": n * (some if alternating else CASES),
            "trunk_forward": n * (CASES + some),
            "trunk_backward": n * CASES,
            "held": 0,
        }

    return of


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        (Fit(scheme="alternating", q=0.7, trunk="network"), counts(True, 0.7)),
        (Fit(scheme="alternating", q=1.0), counts(True)),
        (Fit(scheme="joint"), counts(False)),
        (Fit(scheme="varpro"), counts(False)),
    ],
)
def test_passes_of_a_step_are_those_of_the_scheme(how: Fit, wanted: Callable[[int], dict[str, int]]) -> None:
    trainer = Trainer(branch(), [task("a")], how)
    for step in range(1, 4):
        trainer.step()
        assert trainer.passes.counts() == wanted(step)
        assert trainer.passes.total == sum(wanted(step).values())


def test_passes_to_an_error_are_those_of_the_first_check_that_reached_it() -> None:
    found = fit(branch(), tasks(), HOWS["joint"])
    errors = [entry["errors"]["a"] for entry in found.history]
    assert found.passes_to("a", min(errors)) == found.history[errors.index(min(errors))]["passes"]
    assert found.passes_to("a", 0.0) is None
    assert found.passes_to("a", errors[0]) == found.history[0]["passes"]


# --- what is kept -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(HOWS))
def test_the_best_checked_state_is_what_comes_out(name: str) -> None:
    how = replace(HOWS[name], refit=False, rate=0.3, branch_rate=0.3)
    found = fit(branch(), tasks(), how)
    scores = [entry["score"] for entry in found.history]
    best = found.history[scores.index(min(scores))]
    assert found.step == best["step"]
    assert {k: made.error for k, made in found.operators.items()} == pytest.approx(best["errors"])
    for k, made in found.operators.items():
        assert made.own[0] == min(entry["errors"][k] for entry in found.history)


def test_errors_are_those_of_what_comes_out() -> None:
    made, only = branch(), task("a", 50.0)
    found = fit(made, [only], HOWS["joint"], deltas={"a": 1}).operators["a"]
    x = only.held.inputs
    assert found.delta is not None
    features = torch.cat([made(x, *found.delta), x, torch.ones(HELD, 1, dtype=x.dtype)], 1)
    away = (features @ found.basis - only.held.targets).norm(dim=1) / only.held.norms
    assert found.error == pytest.approx(float(away.mean().detach()), rel=1e-9)


def test_refitting_never_costs_on_the_held_cases() -> None:
    for name in ("joint-log", "varpro"):
        kept = fit(branch(), tasks(), replace(HOWS[name], refit=False))
        again = fit(branch(), tasks(), HOWS[name])
        assert all(again.operators[k].error <= kept.operators[k].error for k in kept.operators)
        assert sum(again.operators[k].error < kept.operators[k].error for k in kept.operators) > 0


def test_a_stall_ends_a_training_after_its_rate_was_halved() -> None:
    how = Fit(steps=1000, check=1, patience=2, halvings=2, schedule="plateau", gain=0.99, warm=0.0)
    found = fit(branch(), tasks(), how)
    assert [entry["rate"] for entry in found.history] == [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    still = fit(branch(), tasks(), replace(how, schedule="cosine"))
    assert len(still.history) == 3


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_the_rate_rises_and_then_falls(schedule: str) -> None:
    how = Fit(steps=100, warm=0.1, schedule=schedule)  # type: ignore[arg-type]
    shares = [how.rate_at(step, step // 25) for step in range(100)]
    assert shares[0] == pytest.approx(0.1)
    assert max(shares) == shares[9] == 1.0
    assert all(a >= b for a, b in pairwise(shares[9:]))
    assert how.rate_at(99, 3) < 0.2


# --- interruption -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "at"), [*((name, 5) for name in sorted(HOWS)), ("joint-log", 1), ("varpro-loo", 7)])
def test_an_interrupted_training_resumes_to_the_same_bits(
    name: str, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"name": "part", "seed": 3, "deltas": {"b": 1}}
    whole = branch()
    wanted = fit(whole, tasks(), HOWS[name], None, **settings)
    plain, steps = Trainer.apply, 0

    def interrupted(self: Trainer, slope: Tensor) -> None:
        nonlocal steps
        steps += 1
        if steps == at + 1:
            raise KeyboardInterrupt
        plain(self, slope)

    with Run.start(tmp_path / "run", {}) as run:
        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "apply", interrupted)
            with pytest.raises(KeyboardInterrupt):
                fit(branch(), tasks(), HOWS[name], run, **settings)
        assert run.names() == ([] if at < 2 else ["part"])
        again = branch()
        found = fit(again, tasks(), HOWS[name], run, **settings)
    assert same(numbers(whole, wanted), numbers(again, found))
    assert found.passes == wanted.passes
    assert found.history == wanted.history


def test_a_finished_training_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Run.start(tmp_path / "run", {}) as run:
        first, second = branch(), branch()
        wanted = fit(first, tasks(), HOWS["joint"], run)
        monkeypatch.setattr(Trainer, "step", lambda self: pytest.fail("a step"))
        found = fit(second, tasks(), HOWS["joint"], run)
    assert same(numbers(first, wanted), numbers(second, found))
    assert found.passes == wanted.passes


def test_a_checkpoint_without_an_operator_is_refused() -> None:
    state = Trainer(branch(), tasks("ab"), HOWS["joint"]).state()
    with pytest.raises(DataError, match="operator c"):
        Trainer(branch(), tasks("abc"), HOWS["joint"]).load(*state)
    Trainer(branch(), tasks("a"), HOWS["joint"]).load(*state)


# --- what is given by mistake -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"scheme": "both"}, "alternating, joint, varpro"),
        ({"trunk": "table"}, "network, spectral"),
        ({"scheme": "varpro", "trunk": "network"}, "spectral for scheme varpro"),
        ({"schedule": "step"}, "schedule"),
        ({"objective": "press"}, "objective"),
        ({"balance": "equal"}, "balance"),
        ({"q": 0.0}, "q: expected"),
        ({"q": 1.5}, "q: expected"),
        ({"steps": 0}, "steps"),
        ({"batch": -1}, "batch"),
        ({"check": 0}, "check"),
        ({"rate": 0.0}, "rate"),
        ({"ridge": math.inf}, "ridge"),
        ({"branch_rate": -1.0}, "branch_rate"),
        ({"warm": 1.0}, "warm"),
        ({"depth": 0}, "depth"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingError, match=word):
        Fit(**settings)


def test_wrong_data_is_refused() -> None:
    good = part("a", 4, 0, 1.0)
    with pytest.raises(DataError, match="targets: expected 2 axes and 4 rows"):
        Part(good.inputs, good.targets[:3], good.norms)
    with pytest.raises(DataError, match="norms: expected numbers above 0"):
        Part(good.inputs, good.targets, 0.0 * good.norms)
    with pytest.raises(DataError, match="targets: expected finite"):
        Part(good.inputs, good.targets * math.nan, good.norms)
    with pytest.raises(DataError, match="operator a: targets: 7 columns to train on, 6"):
        Task("a", good, Part(good.inputs, good.targets[:, :6], good.norms))
    with pytest.raises(DataError, match="operator a: points: expected 7 rows"):
        Task("a", good, good, torch.zeros(3, 2))


def test_held_cases_may_lie_elsewhere() -> None:
    plain = task("a")
    lift = torch.randn(COLUMNS, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    held = Part(plain.held.inputs, plain.held.targets @ lift, plain.held.norms, lift, 0.25 * plain.held.norms**2)
    assert held.error(plain.held.targets) == pytest.approx(0.5)
    found = fit(branch(), [replace(plain, held=held)], HOWS["joint"])
    same = fit(branch(), [replace(plain, held=held.scaled(7.0), train=plain.train.scaled(7.0))], HOWS["joint"])
    assert found.operators["a"].error > 0.5
    assert same.operators["a"].error == pytest.approx(found.operators["a"].error, rel=1e-6)
    with pytest.raises(DataError, match="only held cases"):
        Task("a", held, plain.held)
    with pytest.raises(DataError, match=r"lift: expected \[P, 4\]"):
        replace(held, lift=lift[:, :3])


def test_operators_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="differ"):
        Trainer(branch(), [task("a"), task("a")], HOWS["joint"])
    narrow = Part(torch.ones(4, INPUTS + 1), torch.ones(4, 2), torch.ones(4))
    with pytest.raises(DataError, match="operator n: inputs: the branch takes 3, got 4"):
        Trainer(branch(), [Task("n", narrow, narrow)], HOWS["joint-log"])
    with pytest.raises(DataError, match="operator a: points"):
        Trainer(branch(), [replace(task("a"), points=None)], HOWS["joint"])
    with pytest.raises(DataError, match="group from 0 to 1, got 2"):
        Trainer(branch("grouped"), [task("a")], HOWS["joint"], groups={"a": 2})
    with pytest.raises(DataError, match="grouped branch"):
        Trainer(branch(), [task("a")], HOWS["joint"], groups={"a": 0})


def test_a_slope_that_is_not_finite_ends_the_training() -> None:
    trainer = Trainer(branch(), tasks(), HOWS["joint"])
    with pytest.raises(TrainingError, match="step 1"):
        trainer.apply(torch.full_like(trainer.slope(), math.nan))
