"""The recipe s2gpt: interrupted and resumed, refusals, what a run holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from edgepde_runtime.errors import EdgePDEError

from edgepde.problems.burgers import burgers
from edgepde.recipes.s2gpt import Config, train_problem
from edgepde.s2gpt.compress import load
from edgepde.train.finished_run import FinishedRun, open_run
from edgepde.train.holdout import HeldOut
from edgepde.train.problem_source import of_factory
from edgepde.train.run_folder import Run

CONFIG = Config(snapshots=4, refinements=1, width=8, iterations=20, points=200, grid=400, residual=1e-9)
SOURCE = of_factory("burgers", "burgers", {"low": 0.2, "high": 1.0})
IDENTITY = {"recipe": "small", "seed": 3}
CPU = torch.device("cpu")


def trained(path: Path) -> FinishedRun:
    with Run.start(path, IDENTITY) as run:
        train_problem(burgers(0.2, 1.0), CONFIG, run, CPU, SOURCE)
    return open_run(path)


def test_an_interrupted_training_resumes_after_its_last_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(tmp_path / "whole")
    saves = 0
    save = Run.save

    def interrupted(self: Run, *arguments: object) -> None:
        nonlocal saves
        save(self, *arguments)  # type: ignore[arg-type]
        saves += 1
        if saves == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Run, "save", interrupted)
    with pytest.raises(KeyboardInterrupt), Run.start(tmp_path / "parts", IDENTITY) as run:
        train_problem(burgers(0.2, 1.0), CONFIG, run, CPU, SOURCE)
    parts = trained(tmp_path / "parts")
    assert saves == len(whole.spec["history"]["events"])
    for name, tensor in whole.weights.items():
        torch.testing.assert_close(parts.weights[name], tensor, rtol=0.0, atol=0.0)


def test_a_run_is_read_back_as_the_model_that_was_trained(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    loaded = load(tmp_path / "run")
    assert loaded.small is None
    mu, points = np.array([[0.2], [0.6]]), np.array([[0.3, 0.5], [-0.3, 0.5]])
    field = loaded.reference.field(mu, points)
    np.testing.assert_array_equal(field[:, 0], -field[:, 1])
    exact = loaded.problem.reference
    assert exact is not None
    assert np.abs(field - exact(mu, points)).max() < 0.05


@pytest.mark.parametrize("name", ["theta", "rows.basis", "transform"])
def test_a_run_without_a_tensor_or_with_a_wrong_shape_is_refused(tmp_path: Path, name: str) -> None:
    from edgepde.s2gpt import store

    run = trained(tmp_path / "run")
    problem = burgers(0.2, 1.0)
    without = {k: v for k, v in run.weights.items() if k != name}
    with pytest.raises(EdgePDEError, match=rf"tensor {name}: missing"):
        store.load_model(problem, without, run.spec["s2gpt"], tmp_path)
    shorter = {**run.weights, name: run.weights[name][:-1]}
    with pytest.raises(EdgePDEError, match=rf"tensor {name}|expected shape"):
        store.load_model(problem, shorter, run.spec["s2gpt"], tmp_path)


def test_held_out_data_outside_the_box_is_refused_before_training(tmp_path: Path) -> None:
    points = np.array([[0.0, 0.5]])
    data = HeldOut(Path("far.npz"), "0" * 64, np.array([[7.0]]), points, np.zeros((1, 1)))
    with (
        Run.start(tmp_path / "run", IDENTITY, data=data) as run,
        pytest.raises(EdgePDEError, match=r"far\.npz"),
    ):
        train_problem(burgers(0.2, 1.0), CONFIG, run, CPU, SOURCE)
    assert not run.names()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"module": "os", "function": "system", "arguments": {}}, "problem"),
        ({"module": "burgers", "function": "cole_hopf", "arguments": {}}, "problem"),
        ({"module": "../x", "function": "f", "arguments": {}}, "expected module and function names"),
        ({"module": "burgers", "function": "burgers", "arguments": {"depth": 1}}, "depth"),
        ({"file": "/nowhere/my_pde.py", "sha256": "0"}, "not there any more"),
    ],
)
def test_a_problem_source_that_is_not_ours_is_refused(tmp_path: Path, source: dict[str, object], message: str) -> None:
    from edgepde.train import problem_source

    with pytest.raises(EdgePDEError, match=message):
        problem_source.load(source, tmp_path)


@pytest.mark.parametrize("name", ["snapshots", "width", "points", "grid", "iterations"])
def test_a_setting_that_cannot_work_is_refused(name: str) -> None:
    with pytest.raises(EdgePDEError, match=rf"{name}: expected at least \d+, got 0"):
        Config(**{name: 0})


def test_held_out_data_given_to_the_training_is_kept_as_its_error(tmp_path: Path) -> None:
    points = np.array([[0.2, 0.5], [-0.4, 0.9]])
    data = HeldOut(Path("held.npz"), "0" * 64, np.array([[0.3], [0.7]]), points, np.zeros((2, 2)))
    with Run.start(tmp_path / "run", IDENTITY, data=data) as run:
        train_problem(burgers(0.2, 1.0), CONFIG, run, CPU, SOURCE)
    kept = open_run(tmp_path / "run").spec["history"]["held_out"]
    expected = np.abs(load(tmp_path / "run").reference.field(data.parameters, points)).max()
    assert kept == {"parameters": 2, "source": "held.npz", "values": 4, "worst": pytest.approx(expected)}
