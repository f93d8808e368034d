"""The shipped estimator of a rate, order four: its number on new draws, its promises, its size."""

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

from edgepde.problems.inverse_case import Case

FOLDER = Path(__file__).resolve().parents[2] / "samples" / "mollifier_reaction_diffusion"
BUNDLE = FOLDER / "bundle"
SIZE_LIMIT = 2_000_000
CASES = 2


@pytest.fixture(scope="module")
def sample() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mollifier_reaction_diffusion_sample", FOLDER / "sample.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def cases(sample: ModuleType) -> list[Case]:
    made: list[Case] = sample.cases(CASES)
    return made


@pytest.mark.parametrize("backend", ["ort", "reference"])
def test_the_sample_reaches_its_number(sample: ModuleType, cases: list[Case], backend: str) -> None:
    model = edgepde_runtime.load(BUNDLE, backend=backend)
    scores, inside, flagged = sample.by_device(model, cases)
    assert min(s.correlation for s in scores) >= sample.TARGET
    assert np.median([s.relative for s in scores]) <= sample.ERROR
    assert inside >= 0.9
    assert flagged == 0
    assert max(s.largest for s in scores) <= model.certificate.total


def test_the_bundle_verifies_and_is_small(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(BUNDLE), "--backend", "reference"]) == 0
    assert "pass" in capsys.readouterr().out
    assert bundle.read(BUNDLE).size <= SIZE_LIMIT


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
