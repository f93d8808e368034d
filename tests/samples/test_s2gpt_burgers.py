"""The number the shipped Burgers bundle must reach, recomputed from the bundle against Cole-Hopf."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import edgepde_runtime
import numpy as np
import pytest
from edgepde_runtime.__main__ import main

FOLDER = Path(__file__).resolve().parents[2] / "samples" / "s2gpt_burgers"
SIZE_LIMIT = 300_000


@pytest.fixture(scope="module")
def query() -> ModuleType:
    spec = importlib.util.spec_from_file_location("s2gpt_burgers_query", FOLDER / "query.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("backend", ["ort", "reference"])
def test_the_sample_reaches_its_number(query: ModuleType, backend: str) -> None:
    model = edgepde_runtime.load(FOLDER / "bundle", backend=backend)
    nu = query.viscosities(seed=2026)[:: 1 if backend == "ort" else 8]
    errors = query.relative_errors(model, nu)
    for (low, high), (median, largest) in query.TARGETS.items():
        chosen = errors[(nu[:, 0] >= low) & (nu[:, 0] <= high)]
        assert np.median(chosen) <= median
        assert chosen.max() <= largest


def test_no_device_answer_is_further_from_the_truth_than_the_certificate_says(query: ModuleType) -> None:
    model = edgepde_runtime.load(FOLDER / "bundle")
    rng = np.random.default_rng(77)
    nu = np.exp(rng.uniform(np.log(0.005), 0.0, (200, 1)))
    nu[:2, 0] = 0.005, 1.0
    points = np.stack([rng.uniform(-1, 1, 4000) ** 3, rng.uniform(0, 1, 4000)], axis=1).astype(np.float32)
    exact = query.cole_hopf(nu, points.astype(np.float64))
    worst = np.abs(model(parameters=nu, points=points).u - exact).max()
    assert worst <= model.certificate.total


def test_the_bundle_is_small_and_verifies(capsys: pytest.CaptureFixture[str]) -> None:
    bundle = FOLDER / "bundle"
    assert sum(f.stat().st_size for f in bundle.iterdir()) <= SIZE_LIMIT
    assert main(["verify", str(bundle), "--max-error", "2e-3", "--seconds", "0.2"]) == 0
    assert main(["verify", str(bundle), "--max-error", "1e-7", "--seconds", "0.2"]) == 1
    assert main(["verify", str(bundle), "--min-class", "sound", "--seconds", "0.2"]) == 4
    capsys.readouterr()


def test_a_viscosity_outside_the_box_is_refused_or_flagged() -> None:
    points = np.array([[0.1, 0.5]], dtype=np.float32)
    outside = np.array([[0.5], [0.004]])
    with pytest.raises(edgepde_runtime.errors.OutOfBox, match=r"row 1, column nu: 0\.004"):
        edgepde_runtime.load(FOLDER / "bundle")(parameters=outside, points=points)
    flagged = edgepde_runtime.load(FOLDER / "bundle", out_of_box="flag").call(parameters=outside, points=points)
    assert flagged.flags & 1
    assert flagged.error_bound["u"]["value"] is None
