"""Held-out data: read as written, every defect named with file and member."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime.box import Box
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.errors import DataError
from edgepde.train import holdout
from edgepde.train.holdout import read_held_out

GOOD = {"parameters": np.full((2, 1), 0.5), "points": np.full((3, 2), 0.25), "values": np.arange(6.0).reshape(2, 3)}


def write(folder: Path, **change: object) -> Path:
    arrays = {name: array for name, array in {**GOOD, **change}.items() if array is not None}
    path = folder / "held.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("dtype", ["f8", "f4", ">f8", "i4", "u1"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_it_comes_back(tmp_path: Path, dtype: str, order: str, save: object) -> None:
    arrays = {name: np.asarray(array, dtype=dtype, order=order) for name, array in GOOD.items()}  # type: ignore[call-overload]
    save(tmp_path / "held.npz", **arrays)  # type: ignore[operator]
    data = read_held_out(tmp_path / "held.npz")
    for name, array in arrays.items():
        got = getattr(data, name)
        assert got.dtype == np.float64
        assert np.array_equal(got, array)
    assert len(data.sha256) == 64


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"values": None}, "expected members parameters, points, values, got parameters, points"),
        ({"extra": np.ones(1)}, "expected members .*, got extra, parameters, points, values"),
        ({"values": np.ones((3, 2))}, r"values: expected \[2, 3\].*got \[3, 2\]"),
        ({"values": np.ones(6)}, r"values: expected two dimensions.*\[6\]"),
        ({"points": np.ones((0, 2))}, "points: expected two dimensions, none of them 0"),
        ({"points": np.array([[0.0, np.nan], [0, 0], [0, 0]])}, "points: expected finite numbers, got 1"),
        ({"parameters": np.array([[np.inf], [1.0]])}, "parameters: expected finite"),
        (
            {"values": np.ones((2, 3), dtype=complex)},
            "member 'values.npy': expected float16, .* or uint64, got complex128",
        ),
        ({"values": np.array([["a"]])}, "member 'values.npy': expected float16, .* or uint64, got <U1"),
        (
            {"values": np.array([[None]], dtype=object)},
            "member 'values.npy': expected float16, .* or uint64, got object",
        ),
        ({"values": np.ones((2, 3), dtype=bool)}, "member 'values.npy': expected float16, .* or uint64, got bool"),
    ],
)
def test_wrong_members(tmp_path: Path, change: dict[str, object], told: str) -> None:
    with pytest.raises(DataError, match=rf"held\.npz: {told}"):
        read_held_out(write(tmp_path, **change))


def test_not_an_npz(tmp_path: Path) -> None:
    path = tmp_path / "held.npz"
    with pytest.raises(DataError, match=r"held\.npz: cannot be read: No such file"):
        read_held_out(path)
    path.write_bytes(b"parameters,points\n")
    with pytest.raises(DataError, match=r"held\.npz: expected an npz file"):
        read_held_out(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_held_out(tmp_path)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        (b"(9999999, 99999999)", "expected 7999999120000008 bytes, got 48"),
        (b"(2, 4)", "expected 64 bytes, got 48"),
        (b"(2, 2)", "expected 32 bytes, got 48"),
        (b"(-2, -3)", "none negative"),
    ],
)
def test_a_header_that_does_not_match_its_bytes(tmp_path: Path, shape: bytes, told: str) -> None:
    path = write(tmp_path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = members["values.npy"]
    head, _, data = content.partition(b"\n")
    text = head.replace(b"(2, 3)", shape).rstrip()
    members["values.npy"] = text.ljust(len(head)) + b"\n" + data
    assert len(members["values.npy"]) == len(content)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(DataError, match=rf"held\.npz: member 'values\.npy': .*{told}"):
        read_held_out(path)


def test_too_large_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdout, "LIMIT_BYTES", 100)
    with pytest.raises(DataError, match=r"held\.npz: expected at most 100 bytes, got"):
        read_held_out(write(tmp_path))
    monkeypatch.setattr(holdout, "LIMIT_BYTES", 10_000)
    np.savez_compressed(tmp_path / "held.npz", **{**GOOD, "values": np.zeros((2, 40_000))})  # type: ignore[arg-type]
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(DataError, match=r"held\.npz: expected at most 10000 bytes of arrays, got 64\d{4}"):
        read_held_out(tmp_path / "held.npz")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_or_read_never_worse(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = write(tmp_path_factory.mktemp("fuzz"))
    if data.draw(st.booleans()):
        np.savez_compressed(path, **GOOD)  # type: ignore[arg-type]
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    try:
        held = read_held_out(path)
    except DataError as error:
        told = str(error)
    else:
        told = f"held.npz, read: {np.isfinite(held.values).all()}"
    assert "held.npz" in told
    assert not told.endswith("False")


def test_rows_must_lie_in_their_boxes(tmp_path: Path) -> None:
    held = read_held_out(write(tmp_path))
    nu, xt = Box([0.1], [1.0], ["nu"]), Box([0.0, 0.0], [1.0, 1.0], ["x", "t"])
    assert held.check_inside(nu, xt) is held
    with pytest.raises(DataError, match=r"parameters: row 0: nu expected in \[0.6, 1.0\], got 0.5 \(2 rows outside\)"):
        held.check_inside(Box([0.6], [1.0], ["nu"]), xt)
    with pytest.raises(DataError, match=r"points: row 0: t expected in \[0.5, 1.0\], got 0.25 \(3 rows"):
        held.check_inside(nu, Box([0.0, 0.5], [1.0, 1.0], ["x", "t"]))
    with pytest.raises(DataError, match=r"points: expected 1 columns \(x\), got 2"):
        held.check_inside(nu, Box([0.0], [1.0], ["x"]))
