"""The shipped wave simulator: its number on new sources, its promises, its size, its report."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import edgepde_runtime
import numpy as np
import pytest
from edgepde_export.report import zone
from edgepde_runtime import bundle
from edgepde_runtime.__main__ import main
from edgepde_runtime.errors import OutOfBox

from edgepde.problems.wave2d import Wave2D, generate
from edgepde.problems.zone import ZoneData

FOLDER = Path(__file__).resolve().parents[2] / "samples" / "factorconv_wave"
BUNDLE = FOLDER / "bundle"
SIZE_LIMIT = 2_000_000
CASES = 3


@pytest.fixture(scope="module")
def sample() -> ModuleType:
    spec = importlib.util.spec_from_file_location("factorconv_wave_sample", FOLDER / "sample.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def data(sample: ModuleType) -> ZoneData:
    return generate(Wave2D(), CASES, sample.NEW)


@pytest.mark.parametrize("backend", ["ort", "reference", "c99"])
def test_the_sample_reaches_its_number(sample: ModuleType, data: ZoneData, backend: str) -> None:
    model = edgepde_runtime.load(BUNDLE, backend=backend, trust=backend == "c99")
    assert sample.errors(model, data).mean() <= sample.TARGET
    u = np.asarray(model(data.parameters.astype(np.float32)))
    assert np.abs(u - data.field).max() <= model.certificate.total


def test_what_the_device_adds_is_proved() -> None:
    terms = edgepde_runtime.load(BUNDLE, backend="c99", trust=True).certificate.outputs["u"].terms
    after = [term for name, term in terms.items() if name != "model"]
    assert {term.class_ for term in after} == {"sound"}
    assert sum(term.value or 0.0 for term in after) <= 1e-3


def test_the_bundle_verifies_and_is_small(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(BUNDLE), "--backend", "reference"]) == 0
    assert "pass" in capsys.readouterr().out
    assert bundle.read(BUNDLE).size <= SIZE_LIMIT


def test_the_report_has_held_out_cases() -> None:
    found = zone.read(bundle.read(BUNDLE))
    assert found is not None
    assert found.predicted is not None
    assert len(found.predicted) >= 2
    assert found.error is not None
    assert len(found.error) == 32
    assert found.relative(0)[0] >= found.relative(1)[0]
    assert found.truth == "finite elements"


def test_sources_outside_the_box_are_refused() -> None:
    model = edgepde_runtime.load(BUNDLE, backend="reference")
    box = model.bundle.manifest.inputs[0].box
    with pytest.raises(OutOfBox, match="c_plate"):
        model(np.array([[*box.low[:4], 5.0, box.low[5]]], dtype=np.float32))
