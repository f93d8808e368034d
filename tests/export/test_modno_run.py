"""Many operators on their way to a device: cassettes with statements of their own, what a device gives, refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import edgepde_runtime
import numpy as np
import pytest
import torch
from edgepde_export.exporting import export
from edgepde_export.lowering import modno_held_out
from edgepde_export.lowering.modno_certificate import Compared, certify, whole
from edgepde_export.lowering.modno_grid import places
from edgepde_export.lowering.modno_held_out import Draws
from edgepde_export.recompressing.rebuilding import recompress
from edgepde_export.report import operators as panels
from edgepde_runtime import bundle
from edgepde_runtime.errors import BundleError, InputError, OutOfBox, UnsupportedModel
from edgepde_runtime.manifest import Column, InputSpec, OutputSpec
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgepde.compress import compress_run
from edgepde.errors import RunError
from edgepde.modno.held_out import keep
from edgepde.modno.store import load
from edgepde.mollifier.grid import Axis, Grid
from edgepde.problems import operators
from edgepde.problems.operator_data import generate

from .operator_runs import CASES, OWN, write

NAMES = ("advection", "wave")
COUNT = 120
GRID = "t=0.25:1*4,x=0:1.9375*32"
X = 2.0 * np.arange(32) / 32


def quiet(_: str) -> None:
    """Says nothing."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two linear operators, and one of the user's own."""
    made = write(tmp_path_factory.mktemp("runs") / "run", NAMES)
    horizon = operators.operator(NAMES[0]).horizon
    data = generate(NAMES[0], CASES, 0, times=horizon * np.array([0.05, 0.25, 0.5, 0.75, 1.0]))
    keep(made, replace(data, name=OWN))
    return made


@pytest.fixture(scope="module")
def made(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bundle, with halves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(modno_held_out, "COUNT", COUNT)
        return export(run, tmp_path_factory.mktemp("bundles") / "bundle", grid=GRID, precision="f16w", log=quiet)


def test_a_cassette_per_operator(made: Path) -> None:
    held = bundle.read(made)
    assert held.cassettes == tuple(sorted((*NAMES, OWN)))
    assert held.manifest.outputs[0].shape == ("B", 4, 32)
    assert {s.name: s.dtype for s in held.manifest.slots}["basis"] == "float16"
    assert held.size < 100_000


@pytest.mark.parametrize("backend", ["ort", "reference"])
@pytest.mark.parametrize("name", NAMES)
def test_the_device_gives_the_solution_of_fresh_inputs(made: Path, name: str, backend: str) -> None:
    horizon = operators.operator(name).horizon
    found = generate(name, 4, 77, split="test", x=X, times=horizon * np.array([0.25, 0.5, 0.75, 1.0]))
    model = edgepde_runtime.load(made, backend=backend, cassettes=[name])
    u = model(found.sensors.astype(np.float32))
    assert np.abs(u - found.field).max() <= model.holding(name).certificate.total


def test_the_device_gives_what_the_run_gives(run: Path, made: Path) -> None:
    shared = load(run).shared
    x = np.random.default_rng(0).uniform(-0.2, 0.2, (5, 32)).astype(np.float32)
    model = edgepde_runtime.load(made, backend="ort")
    wide = shared.model.double()
    for name, cassette in shared.cassettes.items():
        with torch.no_grad():
            wanted = wide(torch.from_numpy(x).double(), *(s.double() for s in wide.slots(cassette))).numpy()
        field = wide.spectral.values(wanted, [0.25, 0.5, 0.75, 1.0], X)
        terms = model.holding(name).certificate.outputs["u"].terms
        halves, rounding = (terms[term].value or 0.0 for term in ("quantisation", "rounding"))
        assert np.abs(model(x, cassette=name) - field).max() <= halves + rounding
        assert (halves > 20 * rounding) == (name == OWN)


def test_every_operator_has_a_statement_of_its_own(made: Path) -> None:
    held = bundle.read(made)
    entries = {name: held.holding(name).certificate.outputs["u"] for name in held.cassettes}
    for name in NAMES:
        assert entries[name].terms["model"].class_ == "statistical"
        assert f"on {COUNT} fresh draws" in entries[name].terms["model"].how
    own = entries[OWN].terms["model"]
    assert own.class_ == "measured"
    assert f"only {CASES} held-out cases" in own.how
    assert "give 495 cases or more, without --quick" in own.how
    assert "at the times of the grid and the 256 places of its file" in own.how
    assert (held.certificate.outputs["u"].total_class, held.certificate.backends) == ("measured", ("ort", "reference"))
    for term in ("model", "quantisation", "rounding"):
        stated = [entry.terms[term].value or 0.0 for entry in entries.values()]
        assert held.certificate.outputs["u"].terms[term].value == max(stated)


def test_the_ledger_says_where_and_when_the_field_is(made: Path) -> None:
    ledger = json.loads(bundle.read(made).content("ledger.json"))
    assert ledger["grid"] == {"t": [0.25, 0.5, 0.75, 1.0], "x": X.tolist()}
    assert ledger["sensors"] == {"x": X.tolist(), "period": 2.0}
    wave = operators.operator("wave")
    assert ledger["operators"]["wave"] == {"horizon": wave.horizon, "statement": wave.statement, "unit": "1"}


def test_the_card_has_a_row_per_operator(made: Path) -> None:
    card = bundle.read(made).card
    assert all(f"| {name} |" in card for name in (*NAMES, OWN))
    assert "u_tt = 0.25 u_xx" in card
    assert "32 sensors (at x = 0, 0.0625, .. 1.9375, even, on a period of 2)" in card
    row = next(line for line in card.splitlines() if line.startswith(f"| {OWN} |"))
    assert "at the times of the grid and the 256 places of its file (x = 0 to 1.99219)" in row


def test_the_report_has_a_panel_per_known_operator(made: Path) -> None:
    drawn = panels.panels(bundle.read(made), dpi=36)
    assert [one.title for one in drawn] == sorted((*NAMES, OWN))
    assert all("the worst case errs by" in one.figures for one in drawn)
    assert ["(statistical)" in one.figures for one in drawn] == [True, False, True]
    assert all(one.drawing.count("<image") >= 6 for one in drawn)
    held = panels.read(bundle.read(made))[0]
    assert held.errors.size == COUNT
    assert held.relative(0) == pytest.approx(held.errors.max(), rel=0.1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"operator/wave/error": None}, "operator/wave/error: missing"),
        ({"operator/wave/x": np.zeros(32, np.float32)}, "operator/wave/x: expected increasing"),
        ({"operator/wave/exact": np.zeros((1, 2, 3), np.float32)}, "operator/wave/exact: expected F = 4, got 2"),
        ({"operator/wave/errors": np.full(9, np.nan, np.float32)}, "operator/wave/errors: expected finite"),
        ({"operator/wave/more": np.zeros(9, np.float32)}, "operator/wave/more: expected operator/NAME/"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    made: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], said: str
) -> None:
    whole = bundle.read(made)
    held = {k: v for k, v in {**whole.report, **change}.items() if v is not None}
    altered = replace(whole)
    monkeypatch.setattr(type(altered), "report", property(lambda _: held))
    with pytest.raises(BundleError, match=said):
        panels.panels(altered, dpi=36)


def test_sensors_outside_an_operators_box_are_refused(made: Path) -> None:
    model = edgepde_runtime.load(made, backend="reference", cassettes=["wave"])
    with pytest.raises(OutOfBox, match="s3"):
        model(np.where(np.arange(32) == 3, 99.0, 0.1).astype(np.float32)[None])


def test_an_operator_of_which_nothing_is_kept_has_no_model_term(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modno_held_out, "kept", lambda *_: None)
    loaded = load(run)
    draws = modno_held_out.drawn(loaded, OWN, places(loaded.shared, None), 0)
    assert draws.field is None
    found = replace(_compared(np.ones(len(draws.sensors))), draws=draws, solved=None)
    entry = certify(SIGNATURE, {"exact": _Exact(found.run)}, found).outputs["u"]
    assert (entry.terms["model"].class_, entry.total) == ("not verified", None)
    part = certify(SIGNATURE, {"exact": _Exact(found.run)}, found)
    assert whole(SIGNATURE, [part, part]).outputs["u"].total is None


def test_sensors_of_another_place_are_refused(run: Path) -> None:
    loaded = load(run)
    data = replace(generate("wave", 3, 0, sensors=16), name="wave")
    with pytest.raises(RunError, match="held-out cases of wave: expected the run's own sensors"):
        modno_held_out._of(loaded, loaded.shared.cassettes["wave"], data, "")


def test_a_run_is_made_small_in_training(run: Path) -> None:
    with pytest.raises(UnsupportedModel, match="made small in training"):
        compress_run(run, run.parent / "small", "1e-3", None, None, "auto", None, 0, "")


def test_drift_is_not_answered_by_a_bundle_of_many(made: Path) -> None:
    with pytest.raises(InputError, match="holds 3 operators with one model"):
        recompress(made, made / "drift.json")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"domain": "0:1"}, "--domain is for networks of your own"),
        ({"precision": "i8w"}, "--precision: expected one of f32, f16w"),
        ({"input_accuracy": "s0=1%"}, "--input-accuracy is for networks of your own"),
        ({"with_reference": True}, "--with-reference is for networks of your own"),
        ({"derivatives": "u_x", "grid": GRID}, "--derivatives and --residual is for networks of your own"),
        ({"data": "held.npz"}, "--data is for networks of your own"),
        ({"grid": "y=0:1*4,x=0:1*4"}, "--grid: expected the axes t .* and x .*; got y, x"),
        ({"grid": "t=0:1*5"}, "--grid: expected .* 0.05 to 1. and x .*, 0 to 2., both .*x=0:1.98.100; got t$"),
        ({"grid": "t=0:1*4,x=0:1*4"}, "--grid: axis t: .*, 0.05 to 1 for my-own, .* 0.05, 0.25, .*; got 0 to 1 .4 "),
        ({"grid": "t=0.1:1.1*4,x=0:1*4"}, "--grid: axis t: .*, 0.05 to 1 for my-own, .*; got 0.1 to 1.1"),
        ({"grid": "t=0.1:1*4,x=0:3*4"}, "--grid: axis x: expected places in the period, 0 to 2"),
    ],
)
def test_options_that_mean_nothing_here_are_refused(
    run: Path, tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        export(run, tmp_path / "bundle", log=quiet, **asked)


def test_a_grid_is_for_runs_of_operators(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither was given"):
        export(torch.nn.Linear(2, 1), tmp_path / "bundle", domain="0:1,0:1", grid=GRID, log=quiet)


def test_the_grid_where_nothing_is_asked_for(run: Path) -> None:
    at = places(load(run).shared, None)
    assert (at.times[0], at.times[-1], len(at.times), len(at.x)) == (0.1, 1.0, 10, 128)
    with pytest.raises(InputError, match="at most"):
        places(load(run).shared, Grid((Axis("t", np.linspace(0, 1, 2000)), Axis("x", np.linspace(0, 2, 2000)))))


def _compared(errors: NDArray[np.float64]) -> Compared:
    field = np.zeros((len(errors), 1, 2))
    draws = Draws(np.zeros((len(errors), 1), np.float32), np.ones(1), np.arange(2.0), field, "fresh draws")
    run = field + errors[:, None, None]
    return Compared(draws, run, run, run)


class _Exact:
    """A backend that gives what it is told to."""

    name = "exact"

    def __init__(self, values: NDArray[np.float64]) -> None:
        self.values = values

    def run(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"u": self.values}


SIGNATURE = (
    InputSpec("sensors", "float32", ("B", 1), (Column("s0", "", -1.0, 1.0),)),
    OutputSpec("u", "float32", ("B", 1, 2), ""),
)


@given(st.integers(99, 300), st.integers(0, 9))
def test_the_promise_leaves_out_as_few_draws_as_it_says(count: int, seed: int) -> None:
    errors = np.random.default_rng(seed).exponential(size=count)
    found = _compared(errors)
    term = certify(SIGNATURE, {"exact": _Exact(found.run)}, found).outputs["u"].terms["model"]
    assert term.class_ == "statistical"
    beyond = (errors > (term.value or 0.0)).sum()
    assert beyond <= 0.01 * (len(errors) + 1)


def test_few_draws_promise_nothing_statistical() -> None:
    found = _compared(np.linspace(0.1, 1.0, 98))
    term = certify(SIGNATURE, {"exact": _Exact(found.run)}, found).outputs["u"].terms["model"]
    assert (term.class_, term.value) == ("measured", 2.0)
    assert "only 98 held-out cases" in term.how
