"""The recipe of the solution operator: its run, meshes of the user's, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import meshio
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from edgepde.errors import ProblemError, SettingError
from edgepde.network import store
from edgepde.problems.diffusion import Diffusion
from edgepde.problems.mesh import Mesh, plate, read_mesh, write_mesh
from edgepde.recipes import green_operator
from edgepde.recipes.green_operator import Config
from edgepde.train.run_folder import Run, open_run

CPU = torch.device("cpu")
COARSE = plate(60)


def trained(path: Path, config: Config) -> Path:
    with Run.start(path, {"recipe": "green_operator"}) as run:
        green_operator.train(config, run, CPU)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("green") / "run", Config(nodes=60, power=2.0))


def test_the_run_is_the_operator_with_its_points(run: Path) -> None:
    loaded = store.load(run)
    problem = green_operator.problem_of(Config(nodes=60))
    n = len(problem.points)
    assert (loaded.input, loaded.output, loaded.unit) == ("f", "u", "K")
    assert (loaded.box.low[0], loaded.box.high[-1]) == (-2.0, 2.0)
    assert (loaded.box.names[1], loaded.box.units[1]) == ("f1", "MW/m^3")
    f = np.random.default_rng(0).uniform(-2, 2, (3, n))
    with torch.no_grad():
        u = loaded.module(torch.from_numpy(f).float()).numpy()
    np.testing.assert_allclose(u, problem.solve(f.T).T, rtol=1e-4, atol=1e-5)
    held = open_run(run)
    for side in held.spec["network"]["points"].values():
        assert np.array_equal(held.weights[side].numpy(), problem.points)
    rebuilt = Diffusion(
        Mesh(held.weights["mesh_points"].numpy(), held.weights["mesh_triangles"].numpy()),
        held.weights["mesh_k"].numpy(),
    )
    assert np.array_equal(rebuilt.operator(), problem.operator())


def test_the_error_against_the_exact_solution_scales_with_the_power(run: Path, tmp_path: Path) -> None:
    once = trained(tmp_path / "once", Config(nodes=60))
    worst = [open_run(path).spec["history"]["against_exact"]["worst"] for path in (run, once)]
    assert worst[0] == pytest.approx(2 * worst[1])
    assert 0 < worst[1] < 2.0


def test_the_command_trains_a_quick_one(tmp_path: Path) -> None:
    from edgepde_export.cli.main import app

    done = CliRunner().invoke(
        app, ["train", "green_operator", "--out", str(tmp_path / "r"), "--quick", "--set", "nodes=40"]
    )
    assert done.exit_code == 0, done.output
    assert "network of green_operator" in done.output
    assert store.load(tmp_path / "r").module.dimension >= 40


@pytest.mark.parametrize("suffix", [".vtu", ".vtk"])
def test_a_mesh_file_with_conductivities(tmp_path: Path, suffix: str) -> None:
    k = np.linspace(1.0, 300.0, len(COARSE.triangles))
    path = tmp_path / f"plate{suffix}"
    write_mesh(path, COARSE, k)
    problem = green_operator.problem_of(Config(mesh=str(path)))
    np.testing.assert_allclose(problem.operator(), Diffusion(COARSE, k).operator(), rtol=1e-10)


def test_a_mesh_file_without_conductivities_is_of_one_material(tmp_path: Path) -> None:
    path = tmp_path / "plate.msh"
    write_mesh(path, COARSE)
    problem = green_operator.problem_of(Config(mesh=str(path), plate=7.0))
    np.testing.assert_allclose(problem.k, 7.0)
    assert open_run(trained(tmp_path / "run", Config(mesh=str(path)))).spec["problem"]["mesh"] == str(path)


def test_points_of_no_triangle_and_lines_are_left_out(tmp_path: Path) -> None:
    """As mesh generators write: the centre of an arc, the boundary as lines."""
    points = np.column_stack([np.vstack([[[9.0, 9.0]], COARSE.points]), np.zeros(len(COARSE.points) + 1)])
    cells = [
        ("line", np.array([[1, 2]])),
        ("triangle", COARSE.triangles[:50] + 1),
        ("triangle", COARSE.triangles[50:] + 1),
    ]
    k = [np.zeros(1), np.full(50, 3.0), np.full(len(COARSE.triangles) - 50, 4.0)]
    meshio.Mesh(points, cells, cell_data={"k": k}).write(tmp_path / "m.vtu")
    mesh, held = read_mesh(tmp_path / "m.vtu")
    assert np.array_equal(mesh.points, COARSE.points)
    assert np.array_equal(mesh.triangles, COARSE.triangles)
    assert held is not None
    assert held.tolist() == [3.0] * 50 + [4.0] * (len(held) - 50)


def told(config: Config, said: str) -> None:
    with pytest.raises(ProblemError, match=said):
        green_operator.problem_of(config)


def test_mesh_files_that_are_none_are_named(tmp_path: Path) -> None:
    told(Config(mesh="nowhere.msh"), r"nowhere\.msh: expected a mesh file, there is none")
    for name, text in (("a.msh", "no mesh"), ("a.vtu", "<xml>"), ("a.nothing", "")):
        (tmp_path / name).write_text(text)
        told(Config(mesh=str(tmp_path / name)), rf"{name}: cannot be read as a mesh: \D")
    flat = np.zeros((4, 3))
    flat[:, :2] = [[0, 0], [1, 0], [1, 1], [0, 1]]
    meshio.Mesh(flat, [("quad", np.array([[0, 1, 2, 3]]))]).write(tmp_path / "q.vtu")
    told(Config(mesh=str(tmp_path / "q.vtu")), r"q\.vtu: expected triangles, got quad")
    bent = np.column_stack([COARSE.points, COARSE.points[:, 0]])
    meshio.Mesh(bent, [("triangle", COARSE.triangles)]).write(tmp_path / "b.vtu")
    told(Config(mesh=str(tmp_path / "b.vtu")), r"b\.vtu: expected a plane mesh, z goes from")


def test_a_mesh_with_a_wrong_conductivity_or_too_few_points_is_named(tmp_path: Path) -> None:
    k = np.ones(len(COARSE.triangles))
    k[3] = -2.0
    write_mesh(tmp_path / "k.vtu", COARSE, k)
    told(
        Config(mesh=str(tmp_path / "k.vtu")),
        r"k\.vtu: k: expected positive conductivities, got -2 W/\(m K\) in triangle 3",
    )
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.5, 0.5]])
    write_mesh(tmp_path / "s.vtu", Mesh(square, np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])))
    told(Config(mesh=str(tmp_path / "s.vtu")), r"s\.vtu: expected at least 16 points inside, got 1")
    square[4] = math.nan
    meshio.Mesh(np.column_stack([square, 0 * square[:, :1]]), [("triangle", np.array([[0, 1, 4], [1, 2, 3]]))]).write(
        tmp_path / "n.vtu"
    )
    told(Config(mesh=str(tmp_path / "n.vtu")), r"n\.vtu: .*point 4: expected finite")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"nodes": 15}, "nodes: expected at least 16, got 15"),
        ({"plate": 0.0}, r"plate: expected a positive number, got 0\.0"),
        ({"inclusion": -1.0}, "inclusion: expected a positive number"),
        ({"power": math.inf}, "power: expected a positive number, got inf"),
    ],
)
def test_settings_that_make_no_sense_are_named(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        Config(**wrong)  # type: ignore[arg-type]


def test_a_wrong_setting_exits_2_and_leaves_nothing_finished(tmp_path: Path) -> None:
    from edgepde_export.cli.main import app

    words = ["train", "green_operator", "--out", str(tmp_path / "r"), "--set"]
    for setting in ("nodes=3", "plate=-1", "mesh=nowhere.vtu"):
        done = CliRunner().invoke(app, [*words, setting])
        assert done.exit_code == 2 or done.exception is not None
        assert not (tmp_path / "r" / "spec.json").exists()
    assert json.dumps(green_operator.Config().quick().nodes) == "300"
