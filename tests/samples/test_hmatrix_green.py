"""The shipped operator of the plate: its number, its promises, its bundle, recomputed from the mesh beside it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import edgepde_runtime
import numpy as np
import pytest
from edgepde_runtime.__main__ import main
from edgepde_runtime.errors import OutOfBox

from edgepde.problems.diffusion import Diffusion
from edgepde.problems.mesh import read_mesh

FOLDER = Path(__file__).resolve().parents[2] / "samples" / "hmatrix_green"
BUNDLE = FOLDER / "bundle"
SIZE_LIMIT = 1_000_000
STORED = 10.0 * 2.0**-24  # the certificate is about the operator in float32, up to 10 K; here it is compared in float64


@pytest.fixture(scope="module")
def sample() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hmatrix_green_sample", FOLDER / "sample.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def problem() -> Diffusion:
    mesh, k = read_mesh(FOLDER / "plate.vtu")
    assert k is not None
    return Diffusion(mesh, k)


def after_model(model: edgepde_runtime.Model) -> float:
    """What the device may add to the operator's own error; on ort its activation term is measured."""
    terms = model.certificate.outputs["u"].terms
    return sum(term.value for name, term in terms.items() if name != "model")


@pytest.mark.parametrize("backend", ["ort", "reference", "c99"])
def test_the_sample_reaches_its_number(sample: ModuleType, problem: Diffusion, backend: str) -> None:
    model = edgepde_runtime.load(BUNDLE, backend=backend, trust=backend == "c99")
    worst = sample.worst_error(model, problem, 200 if backend == "ort" else 12, seed=2026)
    assert worst <= sample.TARGET
    assert worst <= after_model(model) + STORED
    assert after_model(model) <= sample.TARGET
    if backend != "ort":
        assert model.certificate.sound_total == pytest.approx(after_model(model))


def test_the_proved_worst_source_is_no_worse_than_proved(problem: Diffusion) -> None:
    """What the device adds to the temperature at a point is worst for sources of one sign pattern; it is tried."""
    model = edgepde_runtime.load(BUNDLE)
    n = len(problem.points)
    device = np.concatenate([model(np.eye(n, dtype=np.float32)[i : i + 258]) for i in range(0, n, 258)]).T
    change = device.astype(np.float64) - problem.operator()
    row = int(np.abs(change).sum(axis=1).argmax())
    f = np.where(change[row] >= 0, 1.0, -1.0).astype(np.float32)[None]
    error = float(np.abs(model(f)[0] - problem.solve(f[0].astype(np.float64))).max())
    assert 0.9 * after_model(model) < error <= after_model(model) + STORED


def test_half_the_mesh_size_is_within_the_total(problem: Diffusion) -> None:
    model = edgepde_runtime.load(BUNDLE)
    fine = problem.refined()
    at = np.array([np.flatnonzero((fine.points == p).all(axis=1))[0] for p in problem.points[::40]])
    f = np.zeros(len(problem.mesh.points))
    f[problem.mesh.inside] = 1.0
    from skfem import Basis, ElementTriP1, MeshTri

    basis = Basis(MeshTri(problem.mesh.points.T.copy(), problem.mesh.triangles.T.copy()), ElementTriP1())
    finer = fine.solve(np.asarray(basis.probes(fine.points.T) @ f))[at]
    u = model(np.ones((1, len(problem.points)), dtype=np.float32))[0][::40]
    assert np.abs(u - finer).max() <= model.certificate.total


def test_the_bundle_is_small_and_verifies(capsys: pytest.CaptureFixture[str]) -> None:
    assert sum(f.stat().st_size for f in BUNDLE.iterdir() if f.is_file()) <= SIZE_LIMIT
    for words in (["--backend", "ort"], ["--backend", "reference"], ["--backend", "c99", "--trust"]):
        assert main(["verify", str(BUNDLE), "--seconds", "0.2", *words]) == 0
    assert main(["verify", str(BUNDLE), "--max-error", "1e-4", "--seconds", "0.2"]) == 1
    capsys.readouterr()


def test_a_source_outside_the_box_is_named(problem: Diffusion) -> None:
    f = np.zeros((2, len(problem.points)), dtype=np.float32)
    f[1, 17] = 1.5
    with pytest.raises(OutOfBox, match=r"row 1, column f17: 1\.5"):
        edgepde_runtime.load(BUNDLE)(f)


def test_the_picture_is_drawn(sample: ModuleType, problem: Diffusion, tmp_path: Path) -> None:
    u = problem.solve(sample.heaters(problem.points))
    sample.draw(problem, u, tmp_path / "t.png")
    assert (tmp_path / "t.png").stat().st_size > 10_000
    assert u.max() > 1.0
