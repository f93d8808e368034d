"""npz files from anywhere: no pickle, no bomb, no array larger than its file says."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest
from edgepde_runtime import npz
from edgepde_runtime.errors import BundleError
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
        (zipped(("a.npy", npy("(2,)", body=b"1234"))), r"shape \(2,\) expected 8 bytes, got 4"),
        (zipped(("a.npy", npy("(1,)", body=b"12345678"))), r"shape \(1,\) expected 4 bytes, got 8"),
        (zipped(("a.npy", b"garbage")), "npy header"),
        (zipped(("a.npy", b"\x93NUMPY\x03\x00" + b"\0" * 80)), "npy version"),
        (zipped(("a.npy", npy("(__import__('os').getpid(),)"))), "npy header"),
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
