"""npz files from anywhere: no pickle, no bomb, no array larger than its file says."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime import npz
from edgepde_runtime.errors import BundleError, InputError
from hypothesis import given
from hypothesis import strategies as st
from support.bundles import npz_bytes
from support.refusal import only_refused


def npy(shape: str, descr: str = "'<f4'", body: bytes = b"") -> bytes:
    """An npy file with a header of the given text."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected an npz file"),
        (b"PK\x03\x04" + b"\0" * 40, "expected an npz file"),
        (zipped(("a.npy", npy("(1000000000000,)", body=b"1234"))), "expected 4000000000000 bytes"),
        (zipped(("a.npy", npy("(1000000, 1000000, 1000000, 1000000)"))), "expected 4000000000000000000000000 bytes"),
        (zipped(("a.npy", npy("(-1,)"))), "none negative"),
        (zipped(("a.npy", npy("(1,)", "'|O'", b"1234"))), "got object"),
        (zipped(("a.npy", npy("(1,)", "'<i4'", b"1234"))), "got int32"),
        (zipped(("a.npy", npy("(1,)", "'>f4'", b"1234"))), "got >f4"),
        (zipped(("a.npy", npy("(1,)", "[('x', '<f4')]", b"1234"))), "expected float32"),
        (zipped(("a.npy", npy("(2,)", body=b"1234"))), r"shape \[2\] expected 8 bytes, got 4"),
        (zipped(("a.npy", npy("(1,)", body=b"12345678"))), r"shape \[1\] expected 4 bytes, got 8"),
        (zipped(("a.npy", b"garbage")), "npy header"),
        (zipped(("a.npy", b"\x93NUMPY\x03\x00" + b"\0" * 80)), "npy version 1 or 2, got 3.0"),
        (zipped(("a.npy", npy("(__import__('os').getpid(),)"))), "npy header"),
        (zipped(("a.npy", npy("(1,"))), "npy header"),
        (zipped(("a.npy", npy("(1,)", "()", b"1234"))), "npy header"),
        (zipped(("a.npy", npy("(True,)", body=b"1234"))), r"got shape \[True\]"),
        (zipped(("a.npy", npy("(0, 10000000000000000000000000)"))), "expected an npz file"),
        (zipped(("a.npy", npy("(1,)", "('<f4', (1,))", b"1234"))), "expected float32 or float64"),
        (zipped(("a.txt", b"x")), "ending in .npy"),
        (zipped(("a.npy", npy("(0,)")), method=zipfile.ZIP_BZIP2), "stored or deflated"),
        (zipped(*[(f"{i}.npy", npy("(0,)")) for i in range(1025)]), "at most 1024 members"),
    ],
)
def test_hostile_npz(data: bytes, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        npz.read(data, "golden.npz", 1 << 20, BundleError)


def test_a_zip_bomb_is_refused_before_inflating(monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped(("a.npy", npy("(16777216,)", body=bytes(64 << 20))))
    assert len(data) < 1 << 17
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("inflated"))
    with pytest.raises(BundleError, match="at most 1048576 bytes of arrays"):
        npz.read(data, "golden.npz", 1 << 20, BundleError)


def test_a_zip_that_lies_about_its_size_gives_no_more_than_it_says() -> None:
    data = bytearray(zipped(("a.npy", npy("(4194304,)", body=bytes(16 << 20)))))
    central = data.index(b"PK\x01\x02")
    data[central + 24 : central + 28] = struct.pack("<I", 200)
    with pytest.raises(BundleError, match=r"golden\.npz"):
        npz.read(bytes(data), "golden.npz", 1 << 20, BundleError)


def test_two_members_of_one_name() -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = zipped(("a.npy", npy("(0,)")), ("a.npy", npy("(0,)")))
    with pytest.raises(BundleError, match="one array of that name"):
        npz.read(data, "golden.npz", 1 << 20, BundleError)


@given(st.lists(st.integers(0, 4), max_size=4), st.booleans(), st.sampled_from([np.float32, np.float64]))
def test_what_numpy_writes_is_read_back(shape: list[int], fortran: bool, dtype: type[np.floating]) -> None:
    array = np.random.default_rng(0).normal(size=shape).astype(dtype)
    array = np.asfortranarray(array) if fortran else array
    back = npz.read(npz_bytes({"a/b": array}), "x", 1 << 20, BundleError)
    np.testing.assert_array_equal(back["a/b"], array)
    assert back["a/b"].dtype == dtype


@given(st.data())
def test_any_changed_bytes_of_an_npz_are_read_or_refused(data: st.DataObject) -> None:
    blob = bytearray(npz_bytes({"a": np.ones((3, 2), np.float32), "b": np.zeros(4)}))
    for _ in range(data.draw(st.integers(1, 4))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    with only_refused("golden.npz", BundleError):
        npz.read(bytes(blob), "golden.npz", 1 << 16, BundleError)


PIECES = st.sampled_from(
    ["'<f4'", "'>i2'", "(", ")", "[", "]", "{", "}", ",", "'", ":", "1", "-1", "9" * 30, "True", "b''"]
)


@given(st.lists(PIECES, max_size=6).map("".join), st.lists(PIECES, max_size=6).map("".join))
def test_any_header_is_read_or_refused(shape: str, descr: str) -> None:
    with only_refused("golden.npz", BundleError):
        npz.read(zipped(("a.npy", npy(shape, descr, b"1234"))), "golden.npz", 1 << 16, BundleError)


@given(st.sampled_from(npz.REALS), st.lists(st.integers(0, 100), max_size=4))
def test_real_numbers_of_any_kind_come_back_where_they_are_allowed(dtype: np.dtype, values: list[int]) -> None:
    array = np.array(values, dtype)
    data = npz_bytes({"a": array})
    back = npz.read(data, "x", 1 << 20, BundleError, dtypes=npz.REALS)["a"]
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, array)
    if dtype not in npz.FLOATS:
        with pytest.raises(BundleError, match=r"member 'a\.npy': expected float32 or float64, got"):
            npz.read(data, "x", 1 << 20, BundleError)


@pytest.mark.parametrize("dtype", ["?", "c16", "O", "U1", "S1", "M8[s]", "m8[s]", "V4", "<f4, <f4"])
def test_what_is_no_real_number_is_refused(dtype: str) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(2, dtype))
    with pytest.raises(BundleError, match=r"member 'a\.npy': expected float16, .* or uint64, got"):
        npz.read(buffer.getvalue(), "x", 1 << 20, BundleError, dtypes=npz.REALS)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), "got none"),
        (("a",), "got a"),
        (("a", "b", "c"), "got a, b, c"),
        (("a", "b", "\x1b["), r"got '\\x1b\[', a, b"),
        ([f"m{i}" for i in range(9)], r"got m0, .*m7, \.\.\."),
    ],
)
def test_other_members_than_expected_are_refused_unread(
    names: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = zipped(*((f"{name}.npy", b"") for name in names))
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("inflated"))
    with pytest.raises(BundleError, match=rf"x: expected members a, b, {told}$"):
        npz.read(data, "x", 1 << 20, BundleError, members=("b", "a"))


class TestFile:
    """read_file: sizes before reading, and the hash of what was read."""

    def test_arrays_and_hash(self, tmp_path: Path) -> None:
        path = tmp_path / "a.npz"
        np.savez(path, a=np.arange(3.0))
        arrays, digest = npz.read_file(path, 1 << 20, InputError, members=("a",))
        np.testing.assert_array_equal(arrays["a"], [0, 1, 2])
        assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
        with pytest.raises(InputError, match=r"a\.npz: expected members b, got a"):
            npz.read_file(path, 1 << 20, InputError, members=("b",))

    def test_the_limit_is_exact_and_nothing_is_read_above_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "a.npz"
        np.savez(path, a=np.arange(3.0))
        size = path.stat().st_size
        npz.read_file(path, size, InputError)
        monkeypatch.setattr(npz, "read", lambda *_, **__: pytest.fail("read"))
        with pytest.raises(InputError, match=rf"a\.npz: expected at most {size - 1} bytes, got {size}"):
            npz.read_file(path, size - 1, InputError)

    def test_what_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"none\.npz: cannot be read: No such file"):
            npz.read_file(tmp_path / "none.npz", 1 << 20, InputError)
        os.mkfifo(tmp_path / "pipe.npz")
        for path in (tmp_path, tmp_path / "pipe.npz"):
            with pytest.raises(InputError, match="cannot be read: expected a regular file"):
                npz.read_file(path, 1 << 20, InputError)

    def test_a_file_that_grows_while_it_is_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "a.npz"
        np.savez(path, a=np.arange(3.0))
        real = os.fstat

        def before(descriptor: int) -> os.stat_result:
            status = list(real(descriptor))
            status[6] -= 1
            return os.stat_result(status)

        monkeypatch.setattr(npz.os, "fstat", before)
        with pytest.raises(InputError, match=r"a\.npz: changed while it was read"):
            npz.read_file(path, 1 << 20, InputError)


@given(st.lists(st.sampled_from([0.0, 1e300, np.nan, np.inf, -np.inf]), max_size=6))
def test_every_number_that_is_not_finite_is_counted(values: list[float]) -> None:
    bad = sum(v not in {0.0, 1e300} for v in values)
    if not bad:
        npz.check_finite(np.array(values), "x", InputError)
        return
    with pytest.raises(InputError, match=f"^x: expected finite numbers, got {bad} NaN or infinite$"):
        npz.check_finite(np.array(values), "x", InputError)


def test_too_many_entries_are_refused_before_the_directory_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = zipped(("a.npy", npy("(0,)")))
    many = bytearray(plain)
    many[-14:-10] = struct.pack("<HH", 60_000, 60_000)
    large = bytearray(plain)
    large[-10:-6] = struct.pack("<L", 1 << 20)
    lying = zipped(*[(f"{i}.npy", b"") for i in range(70_000)])
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("directory read"))
    for data, message in (
        (bytes(many), "at most 1024 members, got 60000"),
        (bytes(large), "a directory of at most 524288 bytes, got 1048576"),
        (lying, "at most 1024 members, got a zip64 directory"),
        (plain + b"x", "no zip directory at the end"),
        (plain[:-1] + b"\1", "no zip directory at the end"),
    ):
        with pytest.raises(BundleError, match=message):
            npz.read(data, "golden.npz", 1 << 20, BundleError)


def test_the_most_members_allowed_are_read() -> None:
    data = npz_bytes({f"{i:0100d}": np.zeros(1) for i in range(1024)})
    assert len(npz.read(data, "golden.npz", 1 << 20, BundleError)) == 1024
