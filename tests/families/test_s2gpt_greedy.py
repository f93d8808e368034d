"""The greedy loop: where it looks, when it stops, and that an interruption changes nothing."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from edgepde.errors import TrainingError
from edgepde.s2gpt import greedy as loop
from edgepde.s2gpt.greedy import Greedy, Plan, State, first_parameters, indicator, next_picks
from edgepde.s2gpt.grid import Grid

from .conftest import Tiny

CPU = torch.device("cpu")


def quiet(state: State, text: str) -> None:
    """No report."""


def test_snapshots_are_distinct_and_inside_the_box(tiny: Tiny) -> None:
    s = tiny.problem.scaled(np.concatenate(tiny.state.parameters))
    gaps = np.abs(s - s.T)[~np.eye(len(s), dtype=bool)]
    assert len(s) == tiny.plan.snapshots
    assert gaps.min() > loop.MINIMAL_GAP
    assert (np.abs(s) <= 1 + 1e-12).all()


def test_it_ends_when_snapshots_and_refinements_are_used_up(tiny: Tiny) -> None:
    kinds = [event.kind for event in tiny.state.events]
    assert kinds.count("new") == tiny.plan.snapshots
    assert kinds.count("refine") == len(tiny.state.refined) <= tiny.plan.refinements
    assert [stage.work for stage in tiny.stages] == list(range(1, len(kinds) + 1))
    assert all(np.isfinite(r) for r in tiny.state.residuals)


def test_the_worst_candidate_falls_as_snapshots_are_added(tiny: Tiny) -> None:
    worst = [event.worst for event in tiny.state.events]
    assert worst[0] == np.inf
    assert tiny.sweep.worst < 0.1 * worst[1]


def test_a_pick_is_the_worst_candidate_of_its_sweep(tiny: Tiny) -> None:
    for before, event in zip(tiny.stages, tiny.state.events[1:], strict=False):
        grid = loop.domain_grid(tiny.problem, tiny.model.layers, torch.cat(before.theta), tiny.plan.grid)
        result = loop.sweep(tiny.problem, tiny.model.layers, before, grid, tiny.over)
        if event.kind == "new" and result.indicator.argmax() != 0:
            assert event.parameter == tuple(tiny.over[result.indicator.argmax()])
        assert event.worst == result.worst


@pytest.mark.parametrize("after", [1, 3])
def test_resumed_from_any_stage_it_ends_the_same(tiny: Tiny, after: int) -> None:
    state, sweep, _ = Greedy(tiny.problem, tiny.plan, CPU, quiet).run(copy.deepcopy(tiny.stages[after]))
    assert state.events == tiny.state.events
    assert state.residuals == tiny.state.residuals
    assert torch.equal(torch.cat(state.theta), torch.cat(tiny.state.theta))
    np.testing.assert_array_equal(sweep.indicator, tiny.sweep.indicator)


def test_it_stops_as_soon_as_the_tolerance_is_met(tiny: Tiny) -> None:
    ticks: list[str] = []
    plan = replace(tiny.plan, tolerance=1.01 * tiny.state.events[2].worst)
    before = copy.deepcopy(tiny.stages[1])
    state, sweep, _ = Greedy(tiny.problem, plan, CPU, lambda _, text: ticks.append(text)).run(before)
    assert ticks == []
    assert len(state.theta) == 2
    assert sweep.indicator.max() <= plan.tolerance


@pytest.mark.parametrize("broken", ["nan", "inf", "unconverged"])
def test_a_solve_that_fails_counts_as_infinitely_bad(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    real = loop.solve_rows

    def failing(*args: Any) -> Any:
        solution, done = real(*args)
        if broken == "unconverged":
            return solution, done & (np.arange(len(done)) != 30)
        solution[30] = np.nan if broken == "nan" else np.inf
        return solution, done

    monkeypatch.setattr(loop, "solve_rows", failing)
    result = loop.sweep(tiny.problem, tiny.model.layers, tiny.state, tiny.grid, tiny.over)
    assert np.flatnonzero(np.isinf(result.indicator)).tolist() == [30]
    assert np.isfinite(result.worst)
    plan = replace(tiny.plan, snapshots=9)
    assert next_picks(tiny.problem, plan, tiny.state, tiny.over, result.indicator) == ("new", [30])


def test_the_indicator_weighs_residuals_by_volume_and_stability(tiny: Tiny) -> None:
    grid = Grid(np.array([[0.5, 0.0], [0.5, 0.75]]), np.array([2.0, 4.0]), ())
    residual = np.array([[1.0, -1.0], [np.nan, 0.0], [np.inf, 0.0]])
    np.testing.assert_allclose(indicator(tiny.problem, grid, residual), [2.0 + 4.0 * 0.25, np.inf, np.inf])
    plain = replace(tiny.problem, l1_stability=None)
    found = indicator(plain, grid, np.array([[2.0, -1.0], [np.nan, 0.0]]))
    np.testing.assert_allclose(found, [np.sqrt((4 * 2 + 1 * 4) / 6), np.inf])


def picks(tiny: Tiny, value: list[float], over: list[float], state: State | None = None, **plan: Any) -> Any:
    wanted = np.array(over)[:, None]
    return next_picks(tiny.problem, replace(tiny.plan, **plan), state or tiny.state, wanted, np.array(value))


def test_a_candidate_that_is_a_snapshot_asks_for_its_refinement(tiny: Tiny) -> None:
    known = [float(p[0, 0]) for p in tiny.state.parameters]
    free = 0.9 * known[0]
    fresh = State(parameters=tiny.state.parameters, refined=[])
    assert picks(tiny, [2.0, 1.0], [known[1], free], fresh, snapshots=9) == ("refine", [1])
    assert picks(tiny, [1.0, 2.0], [known[1], free], fresh, snapshots=9) == ("new", [1])
    assert picks(tiny, [2.0, 1.0], [known[1], free], fresh, snapshots=9, refinements=0) == ("new", [1])
    twice = State(parameters=tiny.state.parameters, refined=[1, 1])
    assert picks(tiny, [2.0, 1.0], [known[1], free], twice, snapshots=9, refinements=9) == ("new", [1])
    assert picks(tiny, [2.0, 1.0], [known[1], known[2]], twice, snapshots=9, refinements=9) == ("refine", [2])
    assert picks(tiny, [2.0, 1.0], [free, known[2]], fresh, snapshots=4) == ("refine", [2])
    assert picks(tiny, [2.0, 1.0], [free, known[2]], fresh, snapshots=4, refinements=0) == ("stop", [])


def test_a_batch_of_picks_keeps_its_distance(tiny: Tiny) -> None:
    state = State(parameters=[np.array([[1.0]])])
    over = tiny.over[:, 0].tolist()
    value = np.exp(-(np.abs(np.arange(len(over)) - 20.0)))
    kind, chosen = picks(tiny, value.tolist(), over, state, snapshots=8, batch=3)
    assert kind == "new"
    assert len(chosen) == 3
    assert chosen[0] == 20
    s = tiny.problem.scaled(tiny.over[chosen])[:, 0]
    assert min(abs(a - b) for i, a in enumerate(s) for b in s[:i]) > 0.5 / 8
    assert len(picks(tiny, value.tolist(), over, state, snapshots=3, batch=5)[1]) == 2


def test_a_batch_does_not_crowd_around_its_worst_candidate(tiny: Tiny) -> None:
    state = State(parameters=[np.array([[1.0]])])
    s = tiny.problem.scaled(tiny.over)[:, 0]
    value = np.exp(-1.5 * (s + 1.0))
    value[3] = np.inf
    _, chosen = picks(tiny, value.tolist(), tiny.over[:, 0].tolist(), state, snapshots=16, batch=4)
    assert chosen[0] == 3
    assert sum(s[i] > 0.0 for i in chosen) >= 1
    assert min(abs(s[i] - s[j]) for i in chosen for j in chosen if i != j) > 0.07


def test_the_first_batch_spreads_over_the_box(tiny: Tiny) -> None:
    one = first_parameters(tiny.problem, tiny.over, 1)
    np.testing.assert_allclose(one, [[1.0]])
    many = first_parameters(tiny.problem, tiny.over, 4)
    np.testing.assert_allclose(tiny.problem.scaled(many)[:, 0], [-1, -1 / 3, 1 / 3, 1], atol=0.05)


def test_snapshots_trained_as_a_batch_are_kept_one_by_one(tiny: Tiny) -> None:
    training = replace(tiny.plan.training, iterations=4, points=60, resample_every=2)
    plan = Plan(snapshots=3, tolerance=0.0, refinements=0, batch=2, width=4, grid=100, training=training)
    stages: list[int] = []
    state, _, _ = Greedy(tiny.problem, plan, CPU, lambda s, _: stages.append(len(s.theta))).run(State())
    assert stages == [2, 3]
    assert [t.shape[0] for t in state.theta] == [1, 1, 1]
    assert [p.shape for p in state.parameters] == [(1, 1)] * 3
    assert len(state.residuals) == len(state.events) == 3


def test_a_training_that_never_becomes_finite_is_refused_by_parameter(tiny: Tiny, monkeypatch: Any) -> None:
    def failing(*args: Any) -> Any:
        return args[2], torch.full((1,), torch.inf)

    monkeypatch.setattr(loop, "train", failing)
    with pytest.raises(TrainingError, match=r"snapshot at nu = 1: the residual never became finite"):
        Greedy(tiny.problem, tiny.plan, CPU, quiet).run(State())
