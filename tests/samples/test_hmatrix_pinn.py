"""The numbers the shipped PINN must reach, recomputed from its bundle and the trained run beside it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import edgepde_runtime
import numpy as np
import pytest
import torch
from edgepde_runtime.__main__ import main

from edgepde.network import store

FOLDER = Path(__file__).resolve().parents[2] / "samples" / "hmatrix_pinn"
BUNDLE_LIMIT, RUN_LIMIT = 1_000_000, 600_000


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hmatrix_pinn_check", FOLDER / "check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("backend", ["ort", "reference"])
def test_the_sample_reaches_its_numbers(check: ModuleType, backend: str) -> None:
    found = check.numbers(2026, edgepde_runtime.load(FOLDER / "bundle", backend=backend))
    assert found.keys() == check.TARGETS.keys()
    for name, value in found.items():
        assert value <= check.TARGETS[name], name
    assert found["found"] <= found["proved"]


def test_the_shipped_run_is_the_wide_network() -> None:
    loaded = store.load(FOLDER / "run")
    shapes = [tuple(p.shape) for name, p in loaded.module.named_parameters() if name.endswith("weight")]
    assert shapes == [(256, 2), (256, 256), (256, 256), (1, 256)]
    assert loaded.run.spec["problem"]["nu"] == 0.02


def test_the_bundle_is_about_the_shipped_run() -> None:
    model = edgepde_runtime.load(FOLDER / "bundle")
    network = store.load(FOLDER / "run").module.network()
    corners = np.array([[-1.0, 0.0], [1.0, 0.0], [-1.0, 1.0], [1.0, 1.0], [0.0, 0.5]], dtype=np.float32)
    wanted = network(torch.from_numpy(corners).double()).numpy()
    assert np.abs(model(corners) - wanted).max() <= 1e-3
    assert [(c.column, c.low, c.high) for c in model.certificate.box] == [("x", -1.0, 1.0), ("t", 0.0, 1.0)]


def test_it_is_small_and_verifies(capsys: pytest.CaptureFixture[str]) -> None:
    bundle = FOLDER / "bundle"
    assert sum(f.stat().st_size for f in bundle.rglob("*") if f.is_file()) <= BUNDLE_LIMIT
    assert sum(f.stat().st_size for f in (FOLDER / "run").iterdir()) <= RUN_LIMIT
    assert main(["verify", str(bundle), "--max-error", "4e-3", "--seconds", "0.2"]) == 0
    assert main(["verify", str(bundle), "--max-error", "1e-5", "--seconds", "0.2"]) == 1
    capsys.readouterr()
