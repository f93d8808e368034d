"""Derivatives and residuals are asked for again as the ledger says; a bundle is no reason to run a file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from edgepde_export import appending
from edgepde_export.recompressing import outputs, settings
from edgepde_runtime import bundle as reader
from edgepde_runtime.bundle import Bundle
from edgepde_runtime.errors import BundleError, InputError
from edgepde_runtime.term import SENSOR, Term
from support.bundles import mlp_bundle

from edgepde.mollifier.grid import Grid

STATED: dict[str, Any] = {"derivatives": ["u_x"], "residual": "burgers", "form": "auto", "grid": None, "on_grid": False}


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return reader.read(mlp_bundle(tmp_path_factory.mktemp("old") / "b"))


def test_as_stated(old: Bundle) -> None:
    assert outputs.extra(old, {}, None) == {}
    found = outputs.extra(old, {"appended": STATED}, None)
    wanted = {"derivatives": ["u_x"], "residual": "burgers", "derivative_form": "auto"}
    assert found == {**wanted, "grid": None, "false_alarm": None}
    assert outputs.own(old, {"appended": {**STATED, "derivatives": ["u"]}}) == []


def test_a_file_is_not_run_unless_given_again(old: Bundle) -> None:
    stated = {**STATED, "residual": "/tmp/mine.py:MINE"}
    with pytest.raises(InputError, match=r"not among those of edgepde; give --residual FILE\.py:NAME again"):
        outputs.extra(old, {"appended": stated}, None)
    found = outputs.extra(old, {"appended": stated}, "own.py:OWN")
    assert found["residual"] == "own.py:OWN"
    fixed = {**STATED, "residual": "burgers[nu=0.02]"}
    assert outputs.extra(old, {"appended": fixed}, None)["residual"] == "burgers[nu=0.02]"


def test_an_uneven_grid_is_not_stated(old: Bundle) -> None:
    with pytest.raises(InputError, match="uneven grid"):
        outputs.extra(old, {"appended": {**STATED, "on_grid": True}}, None)


@pytest.mark.parametrize(
    "change", [5, {"derivatives": "u_x"}, {"derivatives": [1]}, {"form": "best"}, {"residual": 1}, {"grid": []}]
)
def test_damaged_notes_are_named(change: Any, old: Bundle) -> None:
    stated = {**STATED, **change} if isinstance(change, dict) else change
    with pytest.raises(BundleError, match=r"ledger\.json: appended"):
        outputs.extra(old, {"appended": stated}, None)


def test_grids_as_they_are_typed() -> None:
    text = "y=-0.3:0.1*7[m],x=0.0:1.0*5"
    assert appending.spelled(appending.parse_grid(text)) == text
    assert appending.spelled(Grid.of(x=[0.0, 1.0, 3.0])) is None


def test_a_bundle_that_knows_of_inaccurate_inputs_is_told_again_how_inaccurate(old: Bundle) -> None:
    (key, entry), *_ = old.certificate.outputs.items()
    sensed = replace(entry, terms={**entry.terms, SENSOR: Term(1e-3, "sound", "slopes")})
    bundle = replace(old, certificate=replace(old.certificate, outputs={key: sensed}))
    with pytest.raises(InputError, match="give --input-accuracy again"):
        settings.settings(bundle)
    assert settings.settings(bundle, accuracy="x=1%").kept["input_accuracy"] == "x=1%"
