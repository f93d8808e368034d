"""Runs of simulators on their way to a device: names, units, box, model error, report; compressed ones too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from edgepde_export.exporting import export
from edgepde_export.lowering import factorconv_report
from edgepde_export.lowering.factorconv import lower
from edgepde_export.lowering.options import Options
from edgepde_export.report import zone, zone_plots
from edgepde_runtime import bundle, load
from edgepde_runtime.errors import BudgetError, InputError, NotVerified

from edgepde.compress.run import compress_run
from edgepde.errors import RunError
from edgepde.factorconv import examples, shrinking, store
from edgepde.factorconv.description import Generator
from edgepde.mollifier.grid import Grid
from edgepde.mollifier.outputs import fields
from edgepde.mollifier.outputs.request import Request
from edgepde.problems.zone import ZoneData
from edgepde.train.run_folder import Run

LOW, HIGH = np.array([-1.0, 0.5]), np.array([1.0, 2.0])
AXES = {name: np.linspace(0.0, 1.0, n) for name, n in (("t", 4), ("y", 4), ("x", 8))}


def quiet(_: str) -> None:
    """Says nothing."""


def data() -> ZoneData:
    """A few cases of a wave that depends on its parameters."""
    p = np.random.default_rng(0).uniform(LOW, HIGH, (5, 2))
    t, y, x = np.meshgrid(*AXES.values(), indexing="ij")
    field = np.stack([np.sin(c * t + a * x) * np.cos(y) for a, c in p]).astype(np.float32)
    return ZoneData(p, ("a", "c"), ("m", "m/s"), LOW, HIGH, field, *AXES.values(), "u", "um", ("s", "m", "m"))


def simulator() -> store.Simulator:
    """A generator that was not trained."""
    how = Generator(
        parameters=2, times=4, rows=4, columns=8, hidden=(4,), coarse=(2, 4), channels=(3, 3), form="shared", rank=3
    )
    return store.Simulator(how, how.seeded(0).eval(), data().box, "parameters", "u", "um", AXES)


@pytest.fixture(scope="module", autouse=True)
def few_candidates() -> Iterator[None]:
    """Two tolerances instead of fifteen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shrinking, "TOLERANCES", (0.35, 0.05))
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, made = tmp_path_factory.mktemp("runs") / "run", simulator()
    against = {"worst": 0.5, "compared": 5, "solution": "finite elements on held-out cases"}
    with Run.start(folder, {"seed": 0}) as opened:
        errors = examples.keep(opened, made, data())
        store.save(opened, made, {"name": "wave"}, {"against_exact": against, "frame_errors": errors})
    return folder


@pytest.fixture(scope="module")
def made(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(run, tmp_path_factory.mktemp("bundles") / "b", convolutions="dense", prove_seconds=0.3, log=quiet)


@pytest.fixture(scope="module")
def small(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "run"
    compress_run(run, folder, "u=10", None, "measured", "truncate", seconds=0.3)
    return folder


@pytest.fixture(scope="module")
def smaller(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(small, tmp_path_factory.mktemp("bundles") / "s", convolutions="op", prove_seconds=0.3, log=quiet)


def test_the_bundle_has_the_run_s_names_units_and_box(made: Path) -> None:
    manifest = bundle.read(made).manifest
    assert manifest.name == "wave"
    assert [(c.name, c.unit, c.low, c.high) for c in manifest.inputs[0].columns] == [
        ("a", "m", -1.0, 1.0),
        ("c", "m/s", 0.5, 2.0),
    ]
    assert (manifest.outputs[0].name, manifest.outputs[0].unit) == ("u", "um")
    assert manifest.outputs[0].shape == ("M", 4, 4, 8)


def test_the_model_term_is_what_the_training_found(made: Path) -> None:
    term = bundle.read(made).certificate.outputs["u"].terms["model"]
    assert (term.value, term.class_) == (1.25 * 0.5, "measured")
    assert "finite elements on held-out cases" in term.how


def test_the_device_computes_the_run_s_field(made: Path) -> None:
    x = data().parameters.astype(np.float32)
    with torch.no_grad():
        wanted = simulator().module(torch.from_numpy(x)).numpy()
    assert load(made, backend="reference")(x) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(("way", "bundles"), [("op", "smaller"), ("dense", "made")])
def test_every_form_is_bounded_and_said(way: str, bundles: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(bundles)
    rows = json.loads((folder / "ledger.json").read_text())["convolutions"]
    assert {row["form"] for row in rows} == {way}
    terms = bundle.read(folder).certificate.outputs["u"].terms
    assert terms["quantisation"].class_ == "sound"
    assert (terms["quantisation"].value == 0.0) == (way == "op")


def test_the_report_shows_held_out_cases(made: Path) -> None:
    found = zone.read(bundle.read(made))
    assert found is not None
    assert found.predicted is not None
    assert found.predicted.shape == (3, 4, 4, 8)
    assert found.cells == 4 * 4 * 8
    assert found.truth == "finite elements"
    cases = zone_plots.cases(found, "u [um]", "um", 36)
    assert [case.title.split(":")[0] for case in cases] == ["Worst", "Middle", "Best"]
    assert "a = " in cases[0].title
    assert "data:image/gif;base64," in cases[0].moving
    assert "http" not in cases[0].moving
    assert zone_plots.growth(found) is not None


def test_what_is_kept_for_the_report_is_near_what_was_computed() -> None:
    values = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
    kept = factorconv_report.rounded(values)
    assert np.abs(kept - values).max() <= factorconv_report.FINE * np.abs(values).max()
    assert not factorconv_report.rounded(np.zeros(3, np.float32)).any()


def test_a_box_of_its_own_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--domain is for modules of your own"):
        export(run, tmp_path / "b", domain="a=-1:1,c=0:1", log=quiet)


def test_damaged_examples_are_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "examples.safetensors").write_bytes(b"\0" * 40)
    with pytest.raises(RunError, match="examples"):
        examples.read(tmp_path)
    assert examples.read(tmp_path / "none") is None


def test_a_compressed_run_ships_with_its_original(small: Path, smaller: Path) -> None:
    loaded = store.load(small)
    assert loaded.reference is not None
    assert loaded.simulator.parameters < loaded.reference.parameters
    ledger = loaded.run.ledger or {}
    assert ledger["error"]["value"] <= 10.0
    assert any("kernel was off by" in part["why"] for part in ledger["parts"])
    assert bundle.read(smaller).certificate.outputs["u"].terms["compression"].value != 0.0


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"max_error": "1e-9", "min_class": "measured"}, NotVerified, "nothing smaller keeps an error"),
        ({"max_error": "v=1", "min_class": "measured"}, BudgetError, "expected one number or u=NUMBER"),
        ({"method": "tucker"}, BudgetError, "--method expected one of auto, truncate"),
        ({"sweep": "1e-3:1e-1", "max_error": None}, BudgetError, "--sweep is for runs of the families network"),
        ({"max_error": None}, BudgetError, "--max-error E is missing"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    asked: dict[str, str | None], error: type[Exception], words: str, run: Path, tmp_path: Path
) -> None:
    how: dict[str, str | None] = {"max_error": "1", "sweep": None, "min_class": "sound", "method": "truncate", **asked}
    with pytest.raises(error, match=words):
        compress_run(run, tmp_path / "small", how["max_error"], how["sweep"], how["min_class"], str(how["method"]), 1.0)
    assert not (tmp_path / "small" / "spec.json").exists()


def test_a_compressed_run_knows_the_zone_its_derivatives_are_taken_on(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fields, "HOPELESS", np.inf)  # a net that was not trained is not smooth
    options = Options(append=Request(("u_x",)), convolutions="dense", seconds=0.2, log=quiet)
    content = lower(small, None, None, options)
    assert [(o.name, o.shape[1:], o.unit) for o in content.outputs] == [
        ("u", (4, 4, 8), "um"),
        ("u_x", (4, 4, 8), "um/m"),
    ]
    entries = content.certificate.outputs
    assert all((entries[name].terms["compression"].value or 0.0) > 0.0 for name in entries)
    with pytest.raises(InputError, match="this run has the zone it was trained for"):
        lower(small, None, None, Options(append=Request(("u_x",), grid=Grid.of(x=np.arange(8.0))), log=quiet))
