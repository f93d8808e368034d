"""Errors are what they claim to be, and the rivals are given their best."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import s2gpt_online
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from s2gpt_rivals import accuracy, errors, interpolation, parametric, tuning
from s2gpt_rivals.accuracy import Range
from s2gpt_rivals.ours import folder_bytes, obtain

from edgepde.errors import RunError
from edgepde.problems.burgers import burgers, cole_hopf
from edgepde.s2gpt import jet_mlp
from edgepde.s2gpt.assemble import assemble
from edgepde.s2gpt.greedy import Greedy, Plan, State
from edgepde.s2gpt.reduced import ReducedModel
from edgepde.s2gpt.snapshot import Residual, Settings


@pytest.fixture(scope="module")
def model() -> ReducedModel:
    problem = burgers(0.2)
    plan = Plan(snapshots=4, refinements=0, width=6, grid=400, training=Settings(iterations=15, points=200))
    with torch.no_grad():
        greedy = Greedy(problem, plan, torch.device("cpu"), lambda state, text: None)
        state, result, grid = greedy.run(State())
    return assemble(problem, greedy.layers, state, result, grid, greedy.over, 0)[0]


def test_the_grid_measures_the_domain() -> None:
    points, weights = errors.grid()
    assert weights.sum() == pytest.approx(2.0)
    assert (weights * points[:, 0].astype(float) ** 2 * points[:, 1]).sum() == pytest.approx(1 / 3, rel=1e-3)
    assert points.dtype == np.float32
    assert np.abs(points).max() <= 1.0


def test_exact_fields_are_cole_hopf_at_the_points_themselves() -> None:
    asked = errors.questions(np.array([[0.02], [0.3]]), across=12, along=5)
    assert asked.exact == pytest.approx(cole_hopf(asked.nu, asked.points.astype(float)), abs=1e-12)


def test_an_error_is_relative_in_l2() -> None:
    asked = errors.questions(np.array([[0.05], [0.5]]), across=20, along=10)
    exact = iter(asked.exact)
    found = asked.errors(lambda nu, points: 1.01 * next(exact)[None])
    assert found == pytest.approx([0.01, 0.01])


def test_the_grid_is_fine_enough_to_tell_an_error_in_the_layer() -> None:
    def shifted(nu: np.ndarray, points: np.ndarray) -> np.ndarray:
        moved = points.astype(float)
        moved[:, 0] = np.clip(moved[:, 0] + 1e-4, -1, 1)
        return cole_hopf(nu, moved)

    nu = np.array([[0.005]])
    coarse, fine = (errors.questions(nu, *n).errors(shifted)[0] for n in ((200, 60), (400, 120)))
    assert coarse == pytest.approx(fine, rel=0.02)


@given(st.floats(0.001, 0.5), st.integers(1, 40), st.integers(0, 2**31))
def test_test_viscosities_are_inside_and_none_is_a_snapshot(low: float, count: int, seed: int) -> None:
    spaced = low * (1.0 / low) ** ((np.arange(count) + 0.5) / count)
    nu = errors.viscosities(low, 1.0, count, seed, spaced[:, None])
    assert nu.shape == (2 * count, 1)
    assert (nu >= low).all()
    assert (nu <= 1.0).all()
    assert np.abs(np.log(nu / spaced[None, :])).min() >= errors.APART
    assert np.array_equal(nu, errors.viscosities(low, 1.0, count, seed, spaced[:, None]))


def test_interpolation_passes_through_its_snapshots(model: ReducedModel) -> None:
    points = np.array([[-0.7, 0.2], [0.1, 0.9], [0.6, 0.5]], dtype=np.float32)
    passing = interpolation.Snapshots.at(model, points)
    own = model.field(model.parameters, points.astype(float), np.linalg.inv(model.transform).T)
    assert passing.field(model.parameters) == pytest.approx(own, abs=1e-10)
    highest = passing.fitted(model.size - 1)
    nu = np.array([[0.33], [0.9]])
    assert highest.field(nu) == pytest.approx(passing.field(nu), abs=1e-8)
    assert not np.allclose(passing.fitted(1).field(nu), passing.field(nu), atol=1e-6)


def test_interpolation_weights_sum_to_one_and_their_amplification_is_at_least_one(model: ReducedModel) -> None:
    passing = interpolation.Snapshots.at(model, np.zeros((1, 2), dtype=np.float32))
    assert passing.weights(np.array([[0.21], [0.77]])).sum(axis=1) == pytest.approx(1.0)
    assert interpolation.amplification(passing) >= 1.0


def test_the_parametric_residual_is_that_of_the_problem_at_each_points_own_parameter() -> None:
    problem = burgers(0.01)
    layers = jet_mlp.layer_sizes(3, 7, 2)
    generator = torch.Generator().manual_seed(3)
    theta = jet_mlp.initial_weights(1, layers, generator)
    points = parametric.draw(problem, 5, generator)
    got = parametric.Residual(problem, layers, points)(theta)[0]
    for k, (x, t, s) in enumerate(points.tolist()):
        nu = torch.from_numpy(problem.unscaled(np.array([[s]])))
        folded = _fixed_parameter(theta, layers, s)
        alone = Residual(problem, [(7, 2), *layers[1:]], torch.tensor([[x, t]], dtype=torch.float64), nu)(folded)
        assert float(got[k]) == pytest.approx(float(alone), rel=1e-9)


def _fixed_parameter(theta: torch.Tensor, layers: parametric.Layers, s: float) -> torch.Tensor:
    """The two-input network that a three-input one is at a fixed third input."""
    (weight, bias), *rest = jet_mlp.unflatten(theta, layers)
    first = [weight[:, :, :2].reshape(1, -1), bias + s * weight[:, :, 2]]
    return torch.cat([*first, *(part.reshape(1, -1) for pair in rest for part in pair)], dim=1)


def test_the_parametric_jacobian_is_the_residuals_derivative() -> None:
    problem, layers = burgers(0.01), jet_mlp.layer_sizes(3, 3, 2)
    generator = torch.Generator().manual_seed(0)
    theta = jet_mlp.initial_weights(1, layers, generator)
    rows = parametric.Residual(problem, layers, parametric.draw(problem, 4, generator))
    _, jacobian = rows.linearise(theta)
    direction = torch.randn(theta.shape, generator=generator, dtype=torch.float64)
    slope = (rows(theta + 1e-6 * direction) - rows(theta - 1e-6 * direction)) / 2e-6
    assert torch.allclose(jacobian[0] @ direction[0], slope[0], rtol=1e-5, atol=1e-7)


def test_the_parametric_training_learns_keeps_its_best_and_stops_in_time() -> None:
    ticks = itertools.count()
    problem = burgers(0.5)
    start = parametric.train(problem, 6, 0.0, seed=1)
    done = parametric.train(problem, 6, 60.0, seed=1, clock=lambda: float(next(ticks)))
    assert start.steps == 0
    assert 25 < done.steps <= 60
    assert done.residual < 0.1 * start.residual


def test_the_shipped_network_is_the_trained_one_with_its_boundary_values() -> None:
    problem = burgers(0.05)
    trained = parametric.train(problem, 5, 0.0, seed=2)
    network = parametric.Network(problem, trained)
    nu = np.array([[0.3]])
    x = np.linspace(-1, 1, 9, dtype=np.float32)
    first = parametric.evaluate(network, nu, np.stack([x, np.zeros_like(x)], axis=1))[0]
    assert first == pytest.approx(-np.sin(np.pi * x), abs=1e-6)
    walls = parametric.evaluate(network, nu, np.array([[-1, 0.5], [1, 0.5], [0, 0.5]], dtype=np.float32))[0]
    assert walls == pytest.approx(0.0, abs=1e-6)
    inside = np.array([[0.4, 0.7], [-0.4, 0.7]], dtype=np.float32)
    right, left = parametric.evaluate(network, nu, inside)[0]
    assert left == pytest.approx(-right)
    s = torch.from_numpy(np.concatenate([inside[:1].astype(float), problem.scaled(nu)], axis=1))
    value = jet_mlp.forward(trained.theta, trained.layers, s[None], [(0, 0, 0)])[0, 0, 0]
    place = {"x": s[0, 0], "t": s[0, 1]}
    u = problem.lift(place, {"nu": torch.tensor(0.3)}) + problem.mask(place) * value
    assert float(right) == pytest.approx(float(u), abs=1e-6)


def test_the_box_of_the_shipped_network() -> None:
    box = parametric.box_of(burgers(0.05))
    assert tuple(box.names) == ("x", "t", "log_nu")
    assert box.low[2] == pytest.approx(math.log(0.05))
    assert box.high[2] == 0.0


def test_a_setting_is_chosen_by_its_error() -> None:
    asked = errors.questions(np.array([[0.1], [0.4]]), across=10, along=5)

    def field_of(setting: int) -> errors.Field:
        return lambda nu, points: cole_hopf(nu, points.astype(float)) * (1.0 + 0.01 * abs(setting - 7))

    assert tuning.least([3, 7, 9], field_of, asked) == 7


@settings(max_examples=20)
@given(st.lists(st.floats(1e-9, 1.0), min_size=1, max_size=9))
def test_targets_are_ours_alone(found: list[float]) -> None:
    asked, values = Range(0.02, 1e-4, 1e-3), np.array(found)
    median, maximum = accuracy.both("case", "ours", values, asked)
    assert (median.target, maximum.target) == (1e-4, 1e-3)
    assert median.met == (np.median(values) <= 1e-4)
    assert maximum.met == (values.max() <= 1e-3)
    assert [row.target for row in accuracy.both("case", "rival", values, asked)] == [None, None]


def test_one_viscosity_that_does_not_converge_misses_the_maximum() -> None:
    rows = list(accuracy.both("case", "ours", np.array([1e-9, np.nan]), Range(0.02, 1e-4, 1e-3)))
    assert [row.met for row in rows] == [False, False]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--bundle", "b"], "--bundle needs the --run"),
        (["--quick", "--run", "r"], "give --run-narrow"),
        (["--seed", "x"], "--seed"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_arguments(
    words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["s2gpt_online.py", *words])
    with pytest.raises(SystemExit) as stopped:
        s2gpt_online.arguments()
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected a run folder"):
        obtain(tmp_path, 0.05, True, 0, run=tmp_path / "none")


def test_a_folder_counts_all_its_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a").write_bytes(b"123")
    (tmp_path / "deep" / "b").write_bytes(b"4567")
    assert folder_bytes(tmp_path) == 7
