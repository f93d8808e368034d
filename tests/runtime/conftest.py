"""Bundles every test of the runtime may take; each test gets copies of its own."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from support.bundles import mlp_bundle, residual_bundle


@pytest.fixture
def mlp(tmp_path: Path) -> Path:
    """The MLP bundle."""
    return mlp_bundle(tmp_path / "mlp")


@pytest.fixture
def solver(tmp_path: Path) -> Path:
    """The bundle with a residual output."""
    return residual_bundle(tmp_path / "solver")


@pytest.fixture(params=["reference", "ort"])
def backend(request: pytest.FixtureRequest) -> str:
    """Every backend that needs no native code of the bundle."""
    if request.param == "ort" and importlib.util.find_spec("onnxruntime") is None:
        pytest.skip("onnxruntime is not installed")
    return str(request.param)
