"""Zone data: written and read alike, split by case, every defect named with file, member, case and place."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy

from edgepde.errors import DataError
from edgepde.problems import zone, zone_plot
from edgepde.problems.zone import ZoneData, read


def made(cases: int = 6) -> ZoneData:
    rng = np.random.default_rng(0)
    return ZoneData(
        rng.random((cases, 2)),
        ("x0", "speed"),
        ("m", "m/s"),
        np.zeros(2),
        np.ones(2),
        rng.standard_normal((cases, 3, 4, 5)).astype(np.float32),
        np.linspace(0, 1, 3),
        np.linspace(2, 3, 4),
        np.linspace(-1, 1, 5),
        "u",
        "um",
        ("ms", "m", "m"),
    )


def arrays(data: ZoneData) -> dict[str, Any]:
    with np.load(io.BytesIO(data.encode()), allow_pickle=False) as held:
        return dict(held)


def write(folder: Path, **change: Any) -> Path:
    held = {**arrays(made()), **change}
    path = folder / "zone.npz"
    np.savez(path, **{name: array for name, array in held.items() if array is not None})
    return path


def test_it_comes_back(tmp_path: Path) -> None:
    data, path = made(), tmp_path / "zone.npz"
    data.write(path)
    back = read(path)
    for name in (*zone.NUMBERS, "names", "units", "axis_units", "field_name", "field_unit"):
        assert np.array_equal(getattr(back, name), getattr(data, name)), name
        assert np.asarray(getattr(back, name)).dtype == np.asarray(getattr(data, name)).dtype
    assert back.source == str(path)
    assert back.encode() == path.read_bytes()
    assert (back.box.names, back.box.units, back.grid, len(back)) == (data.names, data.units, (3, 4, 5), 6)


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 12), st.integers(1, 4), st.integers(1, 4), st.integers(0, 99))
def test_a_split_has_every_case_once(cases: int, test: int, validation: int, seed: int) -> None:
    data = replace(made(cases), parameters=np.stack([np.arange(cases) / cases, np.zeros(cases)], axis=1))
    if cases - test - validation < 1:
        with pytest.raises(DataError, match=f"{cases} cases: expected at least 1 for each"):
            data.split(seed, test, validation)
        return
    parts = data.split(seed, test, validation)
    assert [len(part) for part in parts] == [cases - test - validation, validation, test]
    numbers = np.concatenate([part.parameters[:, 0] for part in parts]) * cases
    assert sorted(np.round(numbers).astype(int)) == list(range(cases))
    rows = [np.round(part.parameters[:, 0] * cases).astype(int) for part in parts]
    assert all(np.array_equal(part.field, data.field[row]) for part, row in zip(parts, rows, strict=True))


def test_the_test_set_stays_when_others_change() -> None:
    data = made(20)
    few, many = (data.split(3, 5, validation)[2].field for validation in (2, 9))
    assert np.array_equal(few, many)
    assert not np.array_equal(few, data.split(4, 5, 2)[2].field)


def test_a_case_that_is_there_twice_is_not_split() -> None:
    data = made(8)
    twice = data.take(np.array([*range(8), 3]))
    with pytest.raises(DataError, match="zone data: case 8 is case 3 again: expected every case once"):
        twice.split(0, 2, 2)
    twice.field[8, 0, 0, 0] += 1.0
    assert sum(map(len, twice.split(0, 2, 2))) == 9


def test_a_nan_is_named_with_case_and_place(tmp_path: Path) -> None:
    field = made().field.copy()
    field[4, 1, 2, 3] = np.nan
    field[4, 2, 0, 0] = np.inf
    told = r"zone.npz: field: case 4: expected finite numbers, got nan at t = 0.5 ms, y = 2.66667, x = 0.5 m \(2 of 60"
    with pytest.raises(DataError, match=told):
        read(write(tmp_path, field=field))


def test_a_double_too_large_for_a_float_is_not_finite(tmp_path: Path) -> None:
    field = made().field.astype(np.float64)
    field[1, 0, 0, 0] = 1e300
    with pytest.raises(DataError, match="field: case 1: expected finite numbers, got inf"):
        read(write(tmp_path, field=field))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"field": made().field[:5]}, r"field: expected shape \[6, 3, 4, 5\], got \[5, 3, 4, 5\]"),
        ({"field": made().field[..., 0]}, r"field: expected shape \[6, 3, 4, 5\], got \[6, 3, 4\]"),
        ({"parameters": np.full((5, 2), 0.5)}, r"field: expected shape \[5, 3, 4, 5\]"),
        ({"parameters": np.full((6, 3), 0.5)}, r"parameters: expected shape \[6, 2\], got \[6, 3\]"),
        ({"parameters": np.full(6, 0.5)}, r"parameters: expected shape \[6, 2\], got \[6\]"),
        ({"parameters": np.full((6, 2), 1.5)}, r"parameters: case 0: x0 expected in \[0, 1\] m, got 1.5 \(6 cases"),
        ({"parameters": np.full((6, 2), np.nan)}, "parameters: expected finite numbers, got 12"),
        ({"low": np.ones(2)}, "column x0 expected low < high"),
        ({"low": np.zeros(3)}, r"low: expected shape \[2\], got \[3\]"),
        ({"high": np.array([np.inf, 1])}, "column x0 expected finite bounds"),
        ({"t": np.array([0.0, 1.0, 0.5])}, "t: expected increasing places, got 1 then 0.5 at 2"),
        ({"t": np.array([0.0, 0.1, 1.0])}, "t: expected equal steps of 0.5, got 0.1 between 0 and 1"),
        ({"y": np.array([0.0, 0.0, 0.0, 0.0])}, "y: expected increasing places"),
        ({"x": np.array([0, 1, 2, 3, np.nan])}, "x: expected finite numbers"),
        ({"x": np.zeros((5, 1))}, r"x: expected at least 2 places in one dimension, got shape \[5, 1\]"),
        ({"parameter_units": np.array(["m", ""])}, "unit of speed: expected a text .*of a pure number"),
        ({"parameter_units": np.array(["m"])}, "parameter_units: expected 2, one per name, got 1"),
        ({"parameter_names": np.array(["a", "a"])}, "names expected to be distinct"),
        ({"field_unit": np.array("")}, "field_unit: expected a text"),
        ({"field_unit": np.array(["um", "m"])}, r"field_unit: expected one text, got shape \[2\]"),
        ({"axis_units": np.array(["ms", "m"])}, r"axis_units: expected 3 texts \(t, y, x\), got 2"),
        ({"axis_units": np.array(["ms", "", "m"])}, "unit of y: expected a text"),
        ({"field_unit": np.array(1.0)}, "field_unit: expected texts, got float64"),
        ({"field": np.full((6, 3, 4, 5), "a")}, "field: expected numbers, got texts"),
        ({"field_name": np.array("my field")}, "field_name: expected a name of letters.* got 'my field'"),
        ({"field_name": np.array("parameters")}, "field_name: expected a name .* none of parameters, frames"),
        ({"field_unit": None}, "expected members axis_units, .*, got"),
        ({"more": np.ones(1)}, "expected members .*, got .*more"),
        ({"field": np.full((6, 3, 4, 5), None)}, "member 'field.npy': expected .* or text, got object"),
        ({"field": np.ones((6, 3, 4, 5), dtype=complex)}, "member 'field.npy': expected .* got complex128"),
        ({"field_name": np.array("u" * 65)}, "member 'field_name.npy': expected .* or text, got <U65"),
        ({"field": made().field[:0], "parameters": made().parameters[:0]}, "expected cases and parameters"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=f"zone.npz.*{told}"):
        read(write(tmp_path, **change))


@pytest.mark.parametrize("keep", [0, 10, 1000, -30])
def test_a_truncated_file(tmp_path: Path, keep: int) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"zone\.npz"):
        read(path)


def test_a_huge_declared_size_allocates_nothing(tmp_path: Path) -> None:
    path, head = tmp_path / "zone.npz", io.BytesIO()
    npy.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 3, 4, 5)})
    held = arrays(made())
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in held.items():
            member = io.BytesIO()
            np.save(member, array)
            archive.writestr(f"{name}.npy", head.getvalue() if name == "field" else member.getvalue())
    with pytest.raises(DataError, match=r"field.npy': shape \[1099511627776, 3, 4, 5\] expected \d+ bytes, got 0"):
        read(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.npz: cannot be read: No such file"):
        read(tmp_path / "nothing.npz")


def test_summary_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    field = made().field.copy()
    field[:, :, 0, :2] = 0
    zone_plot.show(replace(made(), field=field), tmp_path / "data.png")
    told = capsys.readouterr().err
    for text in ("6 cases of u [um] on 3 x 4 x 5", "t 0 .. 1 ms", "speed in [0, 1] m/s; drawn", "2 of 20 places are 0"):
        assert text in told
    assert (tmp_path / "data.png").read_bytes().startswith(b"\x89PNG")
