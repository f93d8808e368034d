"""The recipes of inverse problems: what a run holds, readings of one's own, interruptions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgepde.errors import DataError, RunError, SettingError
from edgepde.mollifier import store
from edgepde.mollifier.device import draws, examples, methods, tuning
from edgepde.mollifier.device.readings import Given, read
from edgepde.mollifier.device.recovering import refused, train
from edgepde.problems.heat_field import HeatField
from edgepde.recipes import mollifier_heat, mollifier_langevin, mollifier_reaction_diffusion
from edgepde.train.recipe import load_recipe, recipe_names
from edgepde.train.run_folder import Run

TINY = mollifier_heat.Config(
    points=13, frames=9, fine=1, training=3, validation=2, test=9, level=0.1, epochs=1, width=2, steps=2,
    method="refined", noise=0.005,
)  # fmt: skip
CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    """One window, one spline, two ways."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "HALVES", (4,))
        patch.setattr(tuning, "COUNTS", {1: (16,), 2: (7,)})
        patch.setattr(tuning, "CURVATURES", (1e-2,))
        patch.setattr(methods, "WAYS", ("spline",))
        yield


@pytest.fixture(scope="module")
def tiny(few: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    del few
    folder = tmp_path_factory.mktemp("runs") / "run"
    trained(folder, TINY)
    return folder


def trained(folder: Path, config: Any, data: Given | None = None) -> store.Loaded:
    with Run.start(
        folder, {"seed": 0, "config": config, "data": None if data is None else data.source}, data=data
    ) as run:
        train(config, run, CPU)
    return store.load(folder)


def npz(where: Path, **changes: Any) -> Path:
    case = HeatField(points=13, frames=9, fine=13, noise=0.005).case(3)
    held = {"readings": case.readings, **case.axes, "noise": case.noise, "lam": case.lam, **changes}
    np.savez(where, **{k: v for k, v in held.items() if v is not None})
    return where


def test_the_recipes_are_found_by_name() -> None:
    ours = [name for name in recipe_names() if name.startswith("mollifier_")]
    assert ours == ["mollifier_heat", "mollifier_langevin", "mollifier_reaction_diffusion"]
    for name in ours:
        recipe = load_recipe(name)
        assert recipe.config(quick=True).level == 0.1
        assert recipe.read_data is not None


def test_a_run_holds_what_ships_and_what_was_recovered(tiny: Path) -> None:
    loaded = store.load(tiny)
    made = loaded.device
    assert made.member.kind == "refined"
    assert made.grid.shape == (9, 13, 13)
    assert (tiny / "lambda.png").stat().st_size > 1000
    assert loaded.recovered["lam"].shape == (13, 13)
    assert loaded.recovered["mask"].dtype == torch.bool
    history = loaded.run.spec["history"]
    rows = {row["name"]: row for row in history["recovered"]}
    assert set(rows) == {"spline", "device"}
    assert sum(row["recommended"] for row in rows.values()) == sum(row["kept"] for row in rows.values()) == 1
    assert history["test"]["draws"] == 9
    assert 0.0 < made.promise.largest <= 0.0144 + 1e-9
    kept = examples.read(tiny, (13, 13), made.grid.points)
    assert float(kept.readings.min()) > made.low
    assert float(kept.readings.max()) < made.high


def test_a_training_that_was_interrupted_goes_on(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = store.load(tiny)
    simulate = HeatField.case

    def interrupted(self: HeatField, seed: int, noise_seed: int | None = None) -> Any:
        if seed >= draws.seed_of(0, "test"):
            raise KeyboardInterrupt
        return simulate(self, seed, noise_seed)

    with monkeypatch.context() as patch:
        patch.setattr(HeatField, "case", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "run", replace(TINY))
    with Run.start(tmp_path / "run", {"seed": 0, "config": TINY, "data": None}) as run:
        assert run.resumed
        assert {"tuned", "validation_0_2"} <= set(run.names())
        train(TINY, run, CPU)
    again = store.load(tmp_path / "run")
    for name, tensor in whole.run.weights.items():
        assert torch.equal(tensor, again.run.weights[name]), name


def test_readings_of_ones_own_are_recovered_with_holes(tmp_path: Path) -> None:
    readings = HeatField(points=13, frames=9, fine=13, noise=0.005).case(3).readings.copy()
    readings[2, 4:6, 5] = np.nan
    given, digest = read(npz(tmp_path / "own.npz", readings=readings, lam=None), "tyx", "yx")
    assert len(digest) == 64
    assert not given.complete
    loaded = trained(tmp_path / "run", replace(TINY, method="estimator", points=99), given)
    assert loaded.device.grid.shape == (9, 13, 13)
    assert loaded.run.spec["problem"]["noise"] == pytest.approx(0.005, rel=0.1)
    rows = {row["name"]: row for row in loaded.run.spec["history"]["recovered"]}
    assert set(rows) == {"spline"}
    assert "correlation" not in rows["spline"]


def test_readings_a_device_would_refuse_are_told(tiny: Path) -> None:
    made = store.load(tiny).device
    shape = tuple(axis.size for axis in made.grid.axes)
    axes = {axis.name: axis.values for axis in made.grid.axes}
    inside = np.full(shape, (made.low + made.high) / 2)
    assert refused(made, Given("mine", axes, inside)) == []
    holed = inside.copy()
    holed[0, 0, 0], holed[1, 2, 3], holed[2, 2, 2] = np.nan, made.low - 1e-3, made.high + 1e-3
    missing, outside = refused(made, Given("mine", axes, holed))
    assert missing.startswith(f"1 of {holed.size} readings are missing")
    assert outside.startswith(f"2 of {holed.size} readings lie outside")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"readings": None}, r"missing readings"),
        ({"t": None}, r"missing t"),
        ({"more": np.zeros(3)}, "unknown more"),
        ({"readings": np.zeros((9, 13, 12))}, r"readings: expected \[9, 13, 13\] \(t, y, x\), got \[9, 13, 12\]"),
        ({"readings": np.full((9, 13, 13), np.nan)}, "readings: expected numbers, got NaN everywhere"),
        ({"readings": np.full((9, 13, 13), np.inf)}, r"readings\[0, 0, 0\]: expected numbers, or NaN"),
        ({"readings": np.full((9, 13, 13), 0.5)}, "readings: expected a field that varies, got 0.5 everywhere"),
        ({"x": np.zeros(13)}, r"axis x: values\[1\]: expected increasing values"),
        ({"x": np.zeros((13, 1))}, r"x: expected one dimension, got \[13, 1\]"),
        ({"lam": np.zeros((13, 12))}, r"lam: expected \[13, 13\] \(y, x\)"),
        ({"lam": np.full((13, 13), np.nan)}, "lam: expected finite numbers"),
        ({"noise": -1.0}, "noise: expected one number from 0"),
        ({"noise": np.zeros(2)}, "noise: expected one number from 0"),
        ({"readings": np.array(["a"])}, "readings"),
    ],
)
def test_readings_that_are_none_are_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said) as told:
        read(npz(tmp_path / "own.npz", **changes), "tyx", "yx")
    assert "own.npz" in str(told.value)


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ({"x": np.linspace(0.0, 2.0, 13)}, "x: expected equal steps from 0 to 1"),
        ({"y": np.linspace(0.0, 1.0, 13) ** 2}, "y: expected equal steps from 0 to 1"),
        ({"t": np.linspace(0.1, 0.5, 9)}, "t: expected equal steps from 0"),
        ({"y": np.linspace(0.0, 1.0, 13) ** 2}, r"\[1\]: 0.00694444 where 0.0833333 would be"),
    ],
)
def test_a_grid_that_cannot_be_simulated_is_refused(axes: dict[str, Any], said: str, tmp_path: Path) -> None:
    given, _ = read(npz(tmp_path / "own.npz", **axes), "tyx", "yx")
    with pytest.raises(DataError, match=said):
        TINY.on(given)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"test": 8}, "test: a level of 0.1 needs at least 9 draws, got 8"),
        ({"level": 1.0}, "level: expected a number between 0 and 1"),
        ({"rate": float("inf")}, "rate: expected a number above 0"),
        ({"training": 0}, "training: expected at least 1"),
        ({"low": 0.02}, "low, high: expected 0 < low < high"),
        ({"missing": 1.0}, "missing"),
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        replace(TINY, **changes)


def test_a_force_and_a_rate_are_recovered_too(tmp_path: Path) -> None:
    shared: dict[str, Any] = {
        "training": 2, "validation": 2, "test": 9, "level": 0.1, "epochs": 1, "width": 2, "method": "estimator"
    }  # fmt: skip
    force = trained(tmp_path / "force", mollifier_langevin.Config(points=81, **shared))
    assert force.device.grid.shape == (81,)
    assert force.run.spec["history"]["test"]["correlation"]["median"] > 0.9
    rate = trained(tmp_path / "rate", mollifier_reaction_diffusion.Config(points=15, frames=8, **shared))
    assert rate.run.spec["history"]["test"]["correlation"]["median"] > 0.8


def test_a_network_fitted_to_readings_is_kept_where_it_was_asked_for(tmp_path: Path) -> None:
    loaded = trained(tmp_path / "run", replace(TINY, method="network", missing=0.1, steps=1))
    rows = {row["name"]: row for row in loaded.run.spec["history"]["recovered"]}
    assert rows["network"]["kept"]
    assert not rows["network"]["why"]
    assert loaded.device.member.kind == "estimator"
    assert float(loaded.recovered["lam"].min()) >= 0.0048


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("axes", "tyxz", "axes: expected 1 to 3 letters"),
        ("axes", "tzx", "tensor axis_z: expected float64"),
        ("promise", None, "promise: expected level"),
        ("promise.level", 2.0, "promise: expected 0 < level < 1"),
        ("promise.count", -1, "promise.count: expected a whole number"),
        ("box", {"readings": {"low": 1.0, "high": 0.0}}, "box.readings: expected low < high"),
        ("box", {}, "box.readings.low: expected a number, got None"),
        ("architecture", {"kind": "estimator"}, "architecture: expected"),
    ],
)
def test_a_run_that_was_altered_is_refused(tiny: Path, tmp_path: Path, key: str, value: Any, said: str) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "run"))
    path = folder / "spec.json"
    spec = json.loads(path.read_text())
    head, _, rest = key.partition(".")
    if head in ("axes", "promise"):
        target = spec["mollifier"] if not rest else spec["mollifier"]["promise"]
        target[rest or head] = value
    else:
        spec[head] = value
    path.write_text(json.dumps(spec))
    with pytest.raises(RunError, match=said):
        store.load(folder)
