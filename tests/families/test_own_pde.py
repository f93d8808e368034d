"""A user's own PDE in one file, two parameters, no exact solution: from `edgepde train` to a verified bundle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import edgepde_runtime
import numpy as np
import pytest
from edgepde_export.cli.main import app
from edgepde_runtime.__main__ import main as runtime
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from typer.testing import CliRunner

from edgepde.s2gpt.compress import load

SOURCE = Path(__file__).with_name("heated_rod.py")
MEASURED = ["--min-class", "measured"]
SMALL = ["snapshots=6", "refinements=0", "width=10", "iterations=60", "points=400", "grid=900"]
Array = NDArray[np.float64]


def edgepde(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result.output


def rod(kappa: float, beta: float, x: Array, t: Array) -> Array:
    """Method of lines on 401 nodes: [len(x), len(t)]."""
    nodes = np.linspace(0.0, 1.0, 401)

    def slope(_: float, u: Array) -> Array:
        out = np.zeros_like(u)
        bend = (u[2:] - 2.0 * u[1:-1] + u[:-2]) / (nodes[1] ** 2)
        out[1:-1] = kappa * bend - beta * u[1:-1] + 4.0 * nodes[1:-1] * (1.0 - nodes[1:-1])
        return out

    start = np.sin(np.pi * nodes)
    start[-1] = 0.0
    found = solve_ivp(slope, (0.0, 1.0), start, method="LSODA", t_eval=t, rtol=1e-9, atol=1e-11, lband=1, uband=1)
    return np.stack([np.interp(x, nodes, column) for column in found.y.T], axis=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rod")
    shutil.copy(SOURCE, folder / "my_pde.py")
    settings = [part for pair in SMALL for part in ("--set", pair)]
    told = edgepde("train", str(folder / "my_pde.py"), "--out", str(folder / "run"), *settings)
    assert "next: edgepde export" in told
    edgepde("export", str(folder / "run"), "--out", str(folder / "bundle"))
    return folder


def test_the_model_term_comes_from_the_residual_and_says_so(folder: Path) -> None:
    model = edgepde_runtime.load(folder / "bundle")
    term = model.certificate.outputs["u"].terms["model"]
    assert term.class_ == "measured"
    assert "residual" in term.how
    assert runtime(["verify", str(folder / "bundle"), "--seconds", "0.2"]) == 0


def test_the_stated_error_covers_an_independent_solver(folder: Path) -> None:
    model = edgepde_runtime.load(folder / "bundle")
    x, t = np.linspace(0.0, 1.0, 41), np.linspace(0.0, 1.0, 21)
    points = np.stack([m.ravel() for m in np.meshgrid(x, t, indexing="ij")], axis=1).astype(np.float32)
    for kappa, beta in [(0.05, 0.0), (0.5, 2.0), (0.11, 1.3), (0.3, 0.2), (0.05, 2.0)]:
        predicted = model(parameters=np.array([[kappa, beta]]), points=points).u.reshape(41, 21)
        error = np.abs(predicted - rod(kappa, beta, x, t)).max()
        assert error <= model.certificate.total
        assert error <= 0.02


def test_held_out_data_takes_the_place_of_the_residual(folder: Path, tmp_path: Path) -> None:
    text = (folder / "my_pde.py").read_text().replace("    sup_stability=1.0,\n", "")
    own = tmp_path / "plain.py"
    own.write_text(text)
    run = tmp_path / "run"
    settings = [part for pair in SMALL for part in ("--set", pair)]
    edgepde("train", str(own), "--out", str(run), *settings, "--set", "snapshots=2")
    edgepde("export", str(run), "--out", str(tmp_path / "bare"))
    assert runtime(["verify", str(tmp_path / "bare"), "--seconds", "0.2"]) == 4
    x, t = np.linspace(0.0, 1.0, 11), np.linspace(0.0, 1.0, 6)
    points = np.stack([m.ravel() for m in np.meshgrid(x, t, indexing="ij")], axis=1)
    rng = np.random.default_rng(2)
    parameters = np.stack([rng.uniform(0.05, 0.5, 9), rng.uniform(0.0, 2.0, 9)], axis=1)
    values = np.stack([rod(*row, x, t).ravel() for row in parameters])
    np.savez(tmp_path / "data.npz", parameters=parameters, points=points, values=values)
    np.savez(tmp_path / "few.npz", parameters=parameters[:2], points=points, values=values[:2])
    edgepde("export", str(run), "--out", str(tmp_path / "held"), "--data", str(tmp_path / "data.npz"))
    term = edgepde_runtime.load(tmp_path / "held").certificate.outputs["u"].terms["model"]
    assert "held-out" in term.how
    assert term.value is not None
    assert term.value >= 1.2 * np.abs(load(run).reference.field(parameters, points) - values).max()
    assert runtime(["verify", str(tmp_path / "held"), "--seconds", "0.2"]) == 0
    edgepde("export", str(run), "--out", str(tmp_path / "few"), "--data", str(tmp_path / "few.npz"))
    assert runtime(["verify", str(tmp_path / "few"), "--seconds", "0.2"]) == 4


def test_compress_keeps_to_its_error_and_says_what_it_chose(folder: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    edgepde("compress", str(folder / "run"), "--out", str(small), "--max-error", "5e-2", *MEASURED)
    ledger = json.loads((small / "ledger.json").read_text())
    assert ledger["error"]["stated"] <= 5e-2
    edgepde("export", str(small), "--out", str(tmp_path / "bundle"))
    model, full = edgepde_runtime.load(tmp_path / "bundle"), edgepde_runtime.load(folder / "bundle")
    rng = np.random.default_rng(5)
    points = rng.random((500, 2)).astype(np.float32)
    parameters = np.stack([rng.uniform(0.05, 0.5, 20), rng.uniform(0.0, 2.0, 20)], axis=1)
    difference = np.abs(model(parameters=parameters, points=points).u - full(parameters=parameters, points=points).u)
    assert difference.max() <= 5e-2
    sizes = [(place / "model.onnx").stat().st_size for place in (tmp_path / "bundle", folder / "bundle")]
    assert sizes[0] < sizes[1]
    assert "5.00e-02" in edgepde("compress", str(folder / "run"), "--sweep", "5e-2:2e-2", *MEASURED)


def test_an_error_that_cannot_be_reached_is_refused(folder: Path, tmp_path: Path) -> None:
    words = ["compress", str(folder / "run"), "--out", str(tmp_path / "x"), "--max-error", "1e-14"]
    assert "--min-class measured" in edgepde(*words, code=4)
    output = edgepde(*words, *MEASURED, code=1)
    assert "cannot be reached" in output
    assert not (tmp_path / "x").exists()


def test_a_changed_problem_file_is_noticed(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder / "run", moved / "run")
    kept = (folder / "my_pde.py").read_text()
    try:
        (folder / "my_pde.py").write_text(kept.replace("beta", "gamma"))
        output = edgepde("export", str(moved / "run"), "--out", str(tmp_path / "b"), code=2)
        assert "has changed since" in output
        (moved / "my_pde.py").write_text(kept)
        edgepde("export", str(moved / "run"), "--out", str(tmp_path / "b"))
    finally:
        (folder / "my_pde.py").write_text(kept)


def test_a_domain_is_refused_for_a_run(folder: Path, tmp_path: Path) -> None:
    arguments = ["export", str(folder / "run"), "--out", str(tmp_path / "b"), "--domain", "0:1,0:1"]
    assert "the box it was trained for" in edgepde(*arguments, code=2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('("u_xx",)', '("u_xy",)', "differentiates by"),
        ('("u_xx",)', '("u_xxx",)', "of order 3"),
        ('scales=("log", "linear")', 'scales=("linear", "log")', "log scale expected low > 0"),
        ("torch.sin(math.pi", "torch.lgamma(math.pi", "has no derivative rule"),
        ('lambda c, p: -p["kappa"]', 'lambda c, p: -p["cappa"]', "cappa"),
        ("terms=(", "odd=('x',), terms=(", "expected a symmetric range"),
    ],
)
def test_a_statement_that_is_wrong_is_told_in_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    own = tmp_path / "wrong.py"
    text = SOURCE.read_text()
    assert old in text
    own.write_text(text.replace(old, new))
    settings = [part for pair in SMALL for part in ("--set", pair)]
    output = edgepde("train", str(own), "--out", str(tmp_path / "run"), *settings, code=2)
    assert message in output
    assert "Traceback" not in output
