"""The shipped estimators of a diffusivity: their number on new draws, their promises, their size."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import edgepde_runtime
import numpy as np
import pytest
from edgepde_runtime import bundle
from edgepde_runtime.__main__ import main
from edgepde_runtime.errors import OutOfBox

from edgepde.problems.heat_field import HeatField
from edgepde.problems.inverse_case import Case

FOLDER = Path(__file__).resolve().parents[2] / "samples" / "mollifier_heat"
BUNDLE, NETWORK = FOLDER / "bundle", FOLDER / "bundle_network"
SIZE_LIMIT = 2_000_000
CASES = 3


@pytest.fixture(scope="module")
def sample() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mollifier_heat_sample", FOLDER / "sample.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def cases(sample: ModuleType) -> list[Case]:
    """By a coarser reference than the sample's, which moves the figures in the third digit."""
    return [HeatField(fine=81).case(sample.NEW + number) for number in range(CASES)]


@pytest.mark.parametrize("backend", ["ort", "reference", "c99"])
def test_the_sample_reaches_its_number_without_a_network(sample: ModuleType, cases: list[Case], backend: str) -> None:
    model = edgepde_runtime.load(BUNDLE, backend=backend, trust=backend == "c99")
    scores, inside, flagged = sample.by_device(model, cases)
    assert np.median([s.correlation for s in scores]) >= sample.TARGET
    assert inside >= 0.9
    assert flagged == 0
    assert max(s.largest for s in scores) <= model.certificate.total


def test_a_network_errs_less_in_the_mean(sample: ModuleType, cases: list[Case]) -> None:
    errors = []
    for folder in (BUNDLE, NETWORK):
        scores, _, _ = sample.by_device(edgepde_runtime.load(folder, backend="ort"), cases)
        errors.append(np.mean([s.relative for s in scores]))
    assert errors[1] < errors[0]


@pytest.mark.parametrize("folder", [BUNDLE, NETWORK])
def test_the_bundles_verify_and_are_small(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(folder), "--backend", "reference"]) == 0
    assert "pass" in capsys.readouterr().out
    assert bundle.read(folder).size <= SIZE_LIMIT


def test_the_promise_is_statistical_and_the_rest_is_small() -> None:
    terms = bundle.read(BUNDLE).certificate.outputs["lam"].terms
    assert terms["model"].class_ == "statistical"
    assert "0.99" in terms["model"].how
    assert sum(term.value or 0.0 for name, term in terms.items() if name != "model") <= 1e-5


def test_readings_outside_the_range_seen_are_refused(sample: ModuleType, cases: list[Case]) -> None:
    model = edgepde_runtime.load(BUNDLE, backend="reference")
    x = sample.row(cases[0])
    x[0, 5] = 2.0
    with pytest.raises(OutOfBox, match="g5"):
        model(x)


def test_a_frozen_sensor_is_flagged(sample: ModuleType, cases: list[Case]) -> None:
    x = sample.row(cases[0]).reshape(16, 41, 41)
    x[:, 10:31, 10:31] = x[0, 10:31, 10:31]
    model = edgepde_runtime.load(BUNDLE, backend="reference")
    assert model.call(x.reshape(1, -1)).flags & 4
