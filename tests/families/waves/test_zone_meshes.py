"""A folder of results on meshes: sampled exactly where it must be, every defect named with its file and field."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import meshio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from edgepde.errors import DataError
from edgepde.problems.newmark import Newmark
from edgepde.problems.wave2d import NAMES, UNITS, Wave2D, generate
from edgepde.problems.wave2d_mesh import plate
from edgepde.problems.wave2d_plate import Plate, pulse
from edgepde.problems.zone import ZoneData, read
from edgepde.problems.zone_sampling import in_time, sampler
from edgepde.problems.zone_series import CORNERS, series

TIMES = np.linspace(0.0, 1.0, 5)
ABOUT: dict[str, Any] = {
    "field": "u",
    "unit": "um",
    "t": {"unit": "ms", "low": 0.1, "high": 0.9, "count": 9},
    "y": {"unit": "m", "low": 0.2, "high": 0.8, "count": 6},
    "x": {"unit": "m", "low": 0.1, "high": 0.9, "count": 5},
}
TABLE = "case,speed [m/s],share [1]\nb,1.0,0.25\na,2.0,0.5\n"


def mesh(hole: bool = False) -> tuple[np.ndarray, list[tuple[str, np.ndarray]]]:
    held = plate(0.1, 0.5, 0.5, 0.2)
    kept = held.triangles[~held.in_disk] if hole else held.triangles
    return np.column_stack([held.points, np.zeros(len(held.points))]), [("triangle", kept)]


def linear(points: np.ndarray, time: float, speed: float) -> np.ndarray:
    """Linear in t and in (x, y), so that sampling is exact."""
    return np.asarray((1 + speed * time) * (1 + points[:, 0] - 3 * points[:, 1]))


def write_pvd(path: Path, points: np.ndarray, cells: Any, values: list[np.ndarray], times: Any = TIMES) -> None:
    entries = []
    for k, (time, value) in enumerate(zip(times, values, strict=True)):
        name = f"{path.stem}_{k}.vtu"
        meshio.Mesh(points, cells, point_data={"u": value}).write(path.parent / name)
        entries.append(f'<DataSet timestep="{time}" file="{name}"/>')
    path.write_text(f'<VTKFile type="Collection"><Collection>{"".join(entries)}</Collection></VTKFile>')


def write_xdmf(path: Path, points: np.ndarray, cells: Any, values: list[np.ndarray], times: Any = TIMES) -> None:
    with meshio.xdmf.TimeSeriesWriter(path, data_format="XML") as writer:
        writer.write_points_cells(points, cells)
        for time, value in zip(times, values, strict=True):
            writer.write_data(time, point_data={"u": value})


def folder(path: Path, about: Any = ABOUT, table: str = TABLE, hole: bool = False, **change: Any) -> Path:
    points, cells = mesh(hole)
    made = path / "results"
    made.mkdir()
    (made / "zone.json").write_text(json.dumps(about))
    (made / "parameters.csv").write_text(table)
    for name, speed, write in (("b", 1.0, write_pvd), ("a", 2.0, write_xdmf)):
        values = change.get(name) or [linear(points, time, speed) for time in TIMES]
        write(
            made / f"{name}.{'pvd' if write is write_pvd else 'xdmf'}",
            points,
            cells,
            values,
            change.get("times", TIMES),
        )
    return made


def expected(data: ZoneData, speed: float) -> np.ndarray:
    y, x = np.meshgrid(data.y, data.x, indexing="ij")
    return np.asarray((1 + speed * data.t)[:, None, None] * (1 + x - 3 * y))


def test_linear_fields_are_sampled_exactly_in_the_order_of_the_table(tmp_path: Path) -> None:
    data = read(folder(tmp_path))
    assert (data.names, data.units, data.axis_units) == (("speed", "share"), ("m/s", "1"), ("ms", "m", "m"))
    assert (data.field_name, data.field_unit, data.grid) == ("u", "um", (9, 6, 5))
    assert np.array_equal(data.parameters, [[1.0, 0.25], [2.0, 0.5]])
    assert (data.low.tolist(), data.high.tolist()) == ([1.0, 0.25], [2.0, 0.5])
    for i, speed in enumerate((1.0, 2.0)):
        assert np.abs(data.field[i] - expected(data, speed)).max() < 1e-5
    data.write(tmp_path / "zone.npz")
    assert np.array_equal(read(tmp_path / "zone.npz").field, data.field)


def test_places_in_a_hole_are_zero_and_others_exact(tmp_path: Path) -> None:
    about = {**ABOUT, "x": {**ABOUT["x"], "count": 21}, "y": {**ABOUT["y"], "count": 21}}
    data = read(folder(tmp_path, about, hole=True))
    y, x = np.meshgrid(data.y, data.x, indexing="ij")
    apart = np.hypot(x - 0.5, y - 0.5)
    assert not data.field[:, :, apart < 0.19].any()
    outside = apart > 0.21
    assert np.abs(data.field[0] - expected(data, 1.0))[:, outside].max() < 1e-5


@pytest.mark.parametrize("kind", sorted(CORNERS))
def test_every_kind_of_cell(tmp_path: Path, kind: str) -> None:
    """One cell, or two, that cover the unit square; the field is linear."""
    square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0], [1, 0.5], [0.5, 1], [0, 0.5], [0.5, 0.5]])
    cells = {
        "triangle": [[0, 1, 2], [0, 2, 3]],
        "triangle6": [[0, 1, 2, 4, 5, 8], [0, 2, 3, 8, 6, 7]],
        "quad": [[0, 1, 2, 3]],
        "quad8": [list(range(8))],
        "quad9": [list(range(9))],
    }[kind]
    points = np.column_stack([square, np.zeros(9)])
    write_pvd(tmp_path / "c.pvd", points, [(kind, np.array(cells))], [linear(points, t, 1.0) for t in TIMES])
    held = series(tmp_path / "c.pvd", "u")
    x = np.linspace(0, 1, 7)
    found = sampler(held.points, held.triangles, x, x, "c") @ held.values[3]
    gy, gx = np.meshgrid(x, x, indexing="ij")
    assert np.abs(found - (1.75 * (1 + gx - 3 * gy)).ravel()).max() < 1e-12


def test_every_case_may_have_a_mesh_of_its_own(tmp_path: Path) -> None:
    made = folder(tmp_path)
    held = plate(0.07, 0.4, 0.5, 0.2)
    points = np.column_stack([held.points, np.zeros(len(held.points))])
    write_pvd(made / "b.pvd", points, [("triangle", held.triangles)], [linear(points, t, 1.0) for t in TIMES])
    data = read(made)
    for i, speed in enumerate((1.0, 2.0)):
        assert np.abs(data.field[i] - expected(data, speed)).max() < 1e-5


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(4, 40), st.floats(-10, 10), st.floats(-10, 10))
def test_sampling_keeps_what_is_linear_on_any_triangulation(seed: int, count: int, a: float, b: float) -> None:
    rng = np.random.default_rng(seed)
    points = np.concatenate([[[0.0, 0], [1, 0], [0, 1], [1, 1]], rng.random((count, 2))])
    x, y = (np.sort(rng.random(6)) for _ in range(2))
    matrix = sampler(points, Delaunay(points).simplices.astype(np.int64), y, x, "random")
    gy, gx = np.meshgrid(y, x, indexing="ij")
    assert np.abs(matrix.sum(axis=1) - 1).max() < 1e-9
    assert matrix.data.min() > -1e-8
    assert np.abs(matrix @ (1 + points @ [a, b]) - (1 + a * gx + b * gy).ravel()).max() < 1e-7


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 12), st.floats(-10, 10))
def test_interpolation_in_time_keeps_what_is_linear_and_given(seed: int, count: int, slope: float) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(0.01 + rng.random(count))
    wanted = np.sort(rng.uniform(times[0], times[-1], 9))
    assert np.abs(in_time(times, 2 + slope * times[:, None], wanted)[:, 0] - 2 - slope * wanted).max() < 1e-9
    values = rng.standard_normal((count, 3))
    assert np.abs(in_time(times, values, times) - values).max() < 1e-12


def test_one_component_of_a_vector(tmp_path: Path) -> None:
    points, _ = mesh()
    vector = [np.column_stack([0 * points[:, 0], linear(points, t, 1.0), 0 * points[:, 0]]) for t in TIMES]
    scalars = [linear(points, t, 2.0) for t in TIMES]
    other = [np.column_stack([0 * s, s, s]) for s in scalars]
    made = folder(tmp_path, {**ABOUT, "component": 1}, b=vector, a=other)
    data = read(made)
    assert np.abs(data.field[0] - expected(data, 1.0)).max() < 1e-5
    (made / "zone.json").write_text(json.dumps(ABOUT))
    with pytest.raises(
        DataError, match=r"b.pvd: time 0: u: expected one number per point, got 3; zone.json: component"
    ):
        read(made)


@pytest.mark.parametrize(("case", "file"), [("a", "a.xdmf"), ("b", "b.pvd")])
def test_a_nan_is_named_with_file_time_and_point(tmp_path: Path, case: str, file: str) -> None:
    points, _ = mesh()
    values = [linear(points, t, 1.0) for t in TIMES]
    values[2][17] = np.nan
    series_of: Any = {case: values}
    with pytest.raises(DataError, match=rf"{file}: time 0.5: u: expected finite numbers, got nan at point 17 \(1 of"):
        read(folder(tmp_path, **series_of))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"field": "v"}, r"b.pvd: time 0: v: expected among the point data, got u"),
        ({"field": 3}, r"zone.json: field: expected a text, got 3"),
        ({"unit": ""}, r"field_unit: expected a text"),
        ({"t": {"low": 0.1, "high": 0.9, "count": 9}}, r"zone.json: t: unit: expected a text, got None"),
        ({"t": {**ABOUT["t"], "unit": " "}}, r"zone.json: t: unit: expected a text"),
        ({"t": {**ABOUT["t"], "high": 1.5}}, r"b.pvd: times 0 .. 1: expected to cover the zone's 0.1 .. 1.5"),
        ({"x": {**ABOUT["x"], "high": 1.5}}, r"b.pvd: zone x 0.1 .. 1.5, .*: expected inside the mesh"),
        ({"x": {**ABOUT["x"], "low": 2}}, r"zone.json: x: low, high: expected two numbers, low < high"),
        ({"x": {**ABOUT["x"], "low": "0"}}, r"zone.json: x: low, high: expected two numbers"),
        ({"x": {**ABOUT["x"], "high": 10**400}}, r"zone.json: x: low, high: expected two numbers"),
        ({"y": {**ABOUT["y"], "count": 1}}, r"zone.json: y: count: expected 2 .. 4096, got 1"),
        ({"y": {**ABOUT["y"], "count": 1e9}}, r"zone.json: y: count: expected 2 .. 4096"),
        ({"component": 5}, r"zone.json: component: expected 0, 1 or 2, got 5"),
        ({"more": 1}, r"zone.json: expected an object of field"),
    ],
)
def test_what_is_wrong_in_zone_json(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told):
        read(folder(tmp_path, {**ABOUT, **change}))


def test_a_zone_too_large_is_refused_before_it_is_allocated(tmp_path: Path) -> None:
    large = {name: {**ABOUT[name], "count": 4096} for name in ("t", "y", "x")}
    with pytest.raises(DataError, match="2 cases of 4096 x 4096 x 4096: expected at most"):
        read(folder(tmp_path, {**ABOUT, **large}))


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("", "line 1: expected `case,name .unit.,...`, got nothing"),
        ("name,speed [m/s]\n", "line 1: expected `case"),
        ("case,speed\nb,1\na,2\n", r'line 1: expected `name .unit.`, .* got "speed"'),
        ("case,speed [m/s]\n", "expected a line per case, got none"),
        ("case,speed [m/s]\nb,1,2\na,2\n", "case b: expected 1 parameters, got 2"),
        ("case,speed [m/s]\nb,1\na,fast\n", 'case a: speed: expected a finite number, got "fast"'),
        ("case,speed [m/s]\nb,1\na,nan\n", 'case a: speed: expected a finite number, got "nan"'),
        ("case,speed [m/s]\nb,1\na,1\n", "speed: expected different values, all cases have 1"),
        ("case,speed [m/s]\nb,1\nb,2\n", "case b: expected once"),
        ("case,speed [m/s]\nb,1\n", "1 lines in parameters.csv, 2 series: a.xdmf has no line"),
        ("case,speed [m/s]\nb,1\na,2\nc,3\n", "3 lines in parameters.csv, 2 series: c has no .xdmf or .pvd"),
    ],
)
def test_what_is_wrong_in_the_table(tmp_path: Path, table: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read(folder(tmp_path, table=table))


def test_times_that_do_not_increase(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"b.pvd: times: expected increasing, got 0.5 then 0.25"):
        read(folder(tmp_path, times=[0.0, 0.5, 0.25, 0.75, 1.0]))


def test_one_time_is_no_series(tmp_path: Path) -> None:
    points, cells = mesh()
    write_pvd(tmp_path / "c.pvd", points, cells, [points[:, 0]], [0.0])
    with pytest.raises(DataError, match=r"c.pvd: expected at least 2 times, got 1"):
        series(tmp_path / "c.pvd", "u")


def test_a_mesh_that_changes(tmp_path: Path) -> None:
    made = folder(tmp_path)
    points, cells = mesh()
    meshio.Mesh(points * 1.01, cells, point_data={"u": points[:, 0]}).write(made / "b_1.vtu")
    with pytest.raises(DataError, match=r"b.pvd: time 0.25: expected the mesh of the first time, its points differ"):
        read(made)


@pytest.mark.parametrize("points", ["bent", "lines"])
def test_no_plane_mesh_of_cells(tmp_path: Path, points: str) -> None:
    made, cells = mesh()
    if points == "bent":
        made[3, 2] = 1.0
    else:
        cells = [("line", np.array([[0, 1]]))]
    write_pvd(tmp_path / "c.pvd", made, cells, [made[:, 0]] * 5)
    with pytest.raises(
        DataError, match="c.pvd: points: expected a plane" if points == "bent" else "c.pvd: cells: expected"
    ):
        series(tmp_path / "c.pvd", "u")


@pytest.mark.parametrize("file", ["a.xdmf", "b.pvd", "b_2.vtu", "zone.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "noise"])
def test_damaged_files(tmp_path: Path, file: str, damage: str) -> None:
    made = folder(tmp_path)
    path = made / file
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if damage == "cut" else b"\x00\xffnoise" * 50)
    if damage == "gone":
        path.unlink()
    named = (
        "b.pvd|b_2.vtu"
        if file == "b_2.vtu"
        else "results: 2 lines"
        if damage == "gone" and file != "zone.json"
        else file
    )
    with pytest.raises(DataError, match=named):
        read(made)


def test_a_collection_stays_in_its_folder(tmp_path: Path) -> None:
    made = folder(tmp_path)
    path = made / "b.pvd"
    path.write_text(path.read_text().replace("b_1.vtu", "../b_1.vtu"))
    with pytest.raises(DataError, match=r"b.pvd: DataSet: file: expected inside"):
        read(made)


def test_our_own_solution_through_mesh_files_is_the_zone(tmp_path: Path) -> None:
    """P2 as six-point triangles: linear between the nodes, so off by the interpolation's few per cent."""
    config = Wave2D(gap=0.05, nx=9, ny=9, nt=19, zone_t=(0.5, 1.4))
    made, t = Plate(config), config.axes[0]
    for name, case in zip("ab", config.parameters(0, 0, 2), strict=True):
        scheme = Newmark(made.mass, made.stiffness(*case[4:]), made.step, limit=made.limit)
        before = math.ceil(t[0] / made.step)
        times = t[0] + made.step * (np.arange(-1, before + made.substeps * 18 + 1) - before)
        steps = list(scheme.march(made.load(*case[:3]), pulse(times, case[3])))[before :: made.substeps]
        basis = made.basis
        points = np.column_stack([basis.doflocs.T, np.zeros(made.unknowns)])
        write_pvd(tmp_path / f"{name}.pvd", points, [("triangle6", basis.element_dofs.T)], steps, t)
    axes = zip(("t", "y", "x"), ("ms", "m", "m"), config.axes, strict=True)
    about = {n: {"unit": unit, "low": axis[0], "high": axis[-1], "count": len(axis)} for n, unit, axis in axes}
    (tmp_path / "zone.json").write_text(json.dumps({"field": "u", "unit": "um", **about}))
    rows = [",".join(map(str, case)) for case in config.parameters(0, 0, 2)]
    heads = ",".join(f"{name} [{unit}]" for name, unit in zip(NAMES, UNITS, strict=True))
    (tmp_path / "parameters.csv").write_text(f"case,{heads}\na,{rows[0]}\nb,{rows[1]}\n")
    held, own = read(tmp_path), generate(config, 2)
    assert np.array_equal(held.parameters, own.parameters)
    for i in range(2):
        off = np.linalg.norm(held.field[i] - own.field[i]) / np.linalg.norm(own.field[i])
        assert 1e-4 < off < 0.03
