"""Estimators on their way to a device: outputs, promise, monitor, refusals, report; in C: tests/samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import edgepde_runtime
import numpy as np
import pytest
import torch
from edgepde_export.exporting import export
from edgepde_export.report import coefficient
from edgepde_runtime import bundle
from edgepde_runtime.__main__ import main
from edgepde_runtime.errors import BundleError, InputError, OutOfBox
from numpy.typing import NDArray

from edgepde.errors import RunError
from edgepde.mollifier import store
from edgepde.mollifier.device import examples, methods, tuning
from edgepde.mollifier.device.recovering import train
from edgepde.recipes.mollifier_heat import Config
from edgepde.train.run_folder import Run

TINY = Config(
    points=13, frames=9, fine=1, training=3, validation=2, test=9, level=0.1, epochs=1, width=2, method="refined"
)  # fmt: skip


def quiet(_: str) -> None:
    """Says nothing."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run with a network."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "HALVES", (4,))
        patch.setattr(tuning, "COUNTS", {2: (7,)})
        patch.setattr(tuning, "CURVATURES", (1e-2,))
        patch.setattr(methods, "WAYS", ())
        with Run.start(folder, {"seed": 0, "config": TINY}) as started:
            train(TINY, started, torch.device("cpu"))
    return folder


@pytest.fixture(scope="module")
def made(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bundle."""
    return export(run, tmp_path_factory.mktemp("bundles") / "bundle", log=quiet)


def test_the_bundle_passes_and_is_small(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(made), "--backend", "reference"]) == 0
    assert "pass" in capsys.readouterr().out
    assert bundle.read(made).size < 400_000


def test_what_goes_in_and_out(made: Path) -> None:
    manifest = bundle.read(made).manifest
    assert manifest.name == "mollifier_heat_field"
    (spec,) = manifest.inputs
    assert (spec.name, spec.shape) == ("readings", ("M", 9 * 13 * 13))
    assert (made / "manifest.json").stat().st_size < 20_000
    assert [(o.name, o.shape, o.diagnostic) for o in manifest.outputs] == [
        ("lam", ("M", 13, 13), False),
        ("band", ("M", 13, 13), True),
        ("residual", ("M",), True),
    ]


def test_the_promise_is_the_runs(run: Path, made: Path) -> None:
    promise = store.load(run).device.promise
    shipped = bundle.read(made)
    term = shipped.certificate.outputs["lam"].terms["model"]
    assert (term.value, term.class_) == (promise.largest, "statistical")
    assert "0.9" in term.how
    assert shipped.manifest.outputs[2].threshold == promise.threshold
    assert shipped.monitor is not None
    assert (shipped.monitor.level, shipped.monitor.count) == (0.1, 9)


@pytest.fixture(scope="module")
def expected(run: Path) -> tuple[NDArray[np.float32], NDArray[np.float32], Any, NDArray[np.bool_]]:
    """Readings kept, their truth, what the run makes of them in float64, which are below the threshold."""
    held = store.load(run).device
    kept = examples.read(run, (13, 13), held.grid.points)
    with torch.no_grad():
        wanted = held.module.double()(kept.readings.double())
    return kept.readings.numpy(), kept.lam.numpy(), wanted, wanted.residual.numpy() <= held.promise.threshold


@pytest.mark.parametrize("backend", ["ort", "reference"])
def test_the_device_gives_what_the_run_gives(made: Path, expected: Any, backend: str) -> None:
    readings, truth, wanted, good = expected
    model = edgepde_runtime.load(made, backend=backend)
    found = model.call(readings)
    stated = model.certificate.outputs["lam"].terms["rounding"].value
    assert stated is not None
    lam = found.outputs["lam"][good]
    assert np.abs(lam - wanted.lam.numpy()[good]).max() <= stated
    assert np.allclose(found.outputs["band"][good], wanted.band.numpy()[good], rtol=1e-3)
    wrong = np.abs(lam - truth[good]).reshape(len(lam), -1).max(axis=1)
    assert (wrong <= model.certificate.total).sum() >= len(lam) - 1


def test_readings_outside_the_range_seen_are_refused(made: Path) -> None:
    model = edgepde_runtime.load(made, backend="reference")
    row = np.full((1, 9 * 13 * 13), 0.5, dtype=np.float32)
    row[0, 7] = 3.0
    with pytest.raises(OutOfBox, match="g7"):
        model(row)
    row[0, 7] = np.nan
    with pytest.raises(InputError, match="g7: expected a finite number, got nan"):
        model(row)


def test_readings_of_another_problem_are_flagged(made: Path) -> None:
    model = edgepde_runtime.load(made, backend="reference")
    noise = np.random.default_rng(0).uniform(0.1, 0.9, (1, 9 * 13 * 13)).astype(np.float32)
    assert model.call(noise).flags & 4


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"domain": "0:1"}, "--domain is for networks of your own"),
        ({"precision": "f16w"}, "--precision is for networks of your own"),
        ({"input_accuracy": "g0=1%"}, "--input-accuracy is for networks of your own"),
        ({"with_reference": True}, "--with-reference is for networks of your own"),
        ({"derivatives": "u_x"}, "--derivatives and --residual is for networks of your own"),
        ({"data": "held.npz"}, "--data is for networks of your own"),
    ],
)
def test_options_that_mean_nothing_here_are_refused(
    run: Path, tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        export(run, tmp_path / "bundle", log=quiet, **given)


def test_a_run_without_its_draws_is_refused(run: Path, tmp_path: Path) -> None:
    import shutil

    folder = Path(shutil.copytree(run, tmp_path / "run"))
    (folder / "checkpoint" / "examples.safetensors").unlink()
    with pytest.raises(RunError, match=r"examples\.safetensors: missing"):
        export(folder, tmp_path / "bundle", log=quiet)


def test_the_report_draws_the_coefficient(made: Path) -> None:
    drawn = coefficient.draws(bundle.read(made), dpi=36)
    assert [one.title.split()[0] for one in drawn] == ["Worst", "Middle", "Best"]
    assert all(len(one.maps) == 4 for one in drawn)
    assert "outside the band" in drawn[0].figures


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"coefficient_band": None}, "coefficient_band is missing"),
        ({"coefficient_x": np.zeros(3, np.float32)}, "coefficient_x: expected increasing"),
        ({"coefficient_exact": np.zeros((1, 2, 3), np.float32)}, "coefficient_exact: expected"),
        ({"coefficient_band": np.full((3, 13, 13), np.nan, np.float32)}, "coefficient_band: expected finite"),
    ],
)
def test_a_coefficient_that_does_not_fit_is_refused(
    made: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], said: str
) -> None:
    whole = bundle.read(made)
    held = {k: v for k, v in {**whole.report, **change}.items() if v is not None}
    altered = replace(whole)
    monkeypatch.setattr(type(altered), "report", property(lambda _: held))
    with pytest.raises(BundleError, match=said):
        coefficient.draws(altered, dpi=36)
