"""Bundles every test of the runtime may take; each test gets copies of its own."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from edgepde_runtime import Model, compiler, load, trust
from support import c99
from support.bundles import mlp_bundle, residual_bundle
from support.native_ops import shared_library


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of kernels for onnxruntime."""
    return shared_library(tmp_path_factory, "ops")


@pytest.fixture(scope="session")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build whose first outputs are shifted by 1."""
    return shared_library(tmp_path_factory, "marked", "-DEDGEPDE_TEST_MARKER=ON")


def on_c99(request: pytest.FixtureRequest) -> bool:
    """Whether the test runs on the backend c99, and so needs bundles with C code."""
    spec = getattr(request.node, "callspec", None)
    return spec is not None and spec.params.get("backend") == "c99"


@pytest.fixture
def mlp(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The MLP bundle."""
    return (c99.mlp_bundle if on_c99(request) else mlp_bundle)(tmp_path / "mlp")


@pytest.fixture
def solver(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The bundle with a residual output."""
    return (c99.solver_bundle if on_c99(request) else residual_bundle)(tmp_path / "solver")


@pytest.fixture(params=["reference", "ort", "c99"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every backend; on c99 the fixtures mlp and solver have C code, and every bundle is trusted."""
    if request.param == "ort" and importlib.util.find_spec("onnxruntime") is None:
        pytest.skip("onnxruntime is not installed")
    if request.param == "c99":
        if compiler.find() is None:
            pytest.skip("there is no C compiler")
        monkeypatch.setattr(trust, "known", lambda _: True)
    return str(request.param)


@pytest.fixture
def model(mlp: Path, backend: str) -> Model:
    """The MLP on a backend."""
    return load(mlp, backend)
