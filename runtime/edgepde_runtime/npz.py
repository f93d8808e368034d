"""npz files that are not trusted: no pickle, no array larger than its file says and the limit allows."""

from __future__ import annotations

import hashlib
import io
import math
import os
import stat
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from .errors import EdgePDEError

MOST_MEMBERS = 1024
FLOATS = tuple(np.dtype(name) for name in ("<f4", "<f8"))
_KINDS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
REALS = tuple(np.dtype(order + kind) for kind in _KINDS for order in "<>")
_HEADER = 4096
_EPOCH = (1980, 1, 1, 0, 0, 0)
# The end record of a zip, the size of zip64's pointer before it, and the most bytes of the directory per member.
_END, _LOCATOR, _ENTRY = struct.Struct("<4s4H2LH"), 20, 512
_SHOWN = 8
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError, OverflowError)
_NO_HEADER = (
    *(ValueError, SyntaxError, TypeError, LookupError, OverflowError, RecursionError, MemoryError),
    tokenize.TokenError,
)
Arrays = dict[str, NDArray[Any]]


def read_file(
    path: Path,
    limit: int,
    error: type[EdgePDEError],
    *,
    dtypes: Collection[np.dtype[Any]] = FLOATS,
    members: Collection[str] | None = None,
    expected: str = "an npz file",
) -> tuple[Arrays, str]:
    """The members of an npz file of at most `limit` bytes, as `read` gives them, and the file's sha256 in hex.

    Raises `error` naming the file, and the member where one is at fault.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise error(f"{path}: cannot be read: expected a regular file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise error(f"{path}: expected at most {limit} bytes, got {size}")
            data = file.read(size + 1)
    except OSError as cause:
        raise error(f"{path}: cannot be read: {cause.strerror or cause}") from None
    if len(data) != size:
        raise error(f"{path}: changed while it was read: expected {size} bytes, got {len(data)}")
    arrays = read(data, str(path), limit, error, dtypes=dtypes, members=members, expected=expected)
    return arrays, hashlib.sha256(data).hexdigest()


def read(
    data: bytes,
    where: str,
    limit: int,
    error: type[EdgePDEError],
    *,
    dtypes: Collection[np.dtype[Any]] = FLOATS,
    members: Collection[str] | None = None,
    expected: str = "an npz file",
) -> Arrays:
    """The members of an npz: arrays of the dtypes given, together at most `limit` bytes.

    dtypes: native float32 and float64, or REALS. members: the names expected, no more and no fewer; None: any.
    expected: what the file should be, for messages.
    Raises `error` naming `where`, and the member where one is at fault.
    """
    try:
        _check_directory(data, where, error)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = _infos(archive, where, limit, error)
            names = sorted(info.filename.removesuffix(".npy") for info in infos)
            if members is not None and names != sorted(members):
                raise error(f"{where}: expected members {listed(members)}, got {listed(names)}")
            return _arrays(archive, infos, where, dtypes, error)
    except _DAMAGE as cause:
        got = "a single array (npy)" if data.startswith(npy.MAGIC_PREFIX) else cause
        raise error(f"{where}: expected {expected}, got {got}") from None


def written(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """An npz whose bytes depend on the arrays alone."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            npy.write_array(member, np.asarray(arrays[name], order="C"), version=(1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            archive.writestr(info, member.getvalue())
    return out.getvalue()


def check_finite(array: NDArray[Any], where: str, error: type[EdgePDEError]) -> None:
    """Raises `error` naming `where` and how many values are NaN or infinite, if any is."""
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        raise error(f"{where}: expected finite numbers, got {bad} NaN or infinite")


def texts(longest: int) -> tuple[np.dtype[Any], ...]:
    """The dtypes of texts of at most `longest` letters."""
    return tuple(np.dtype(f"<U{length}") for length in range(1, longest + 1))


def float_hint(dtype: np.dtype[Any], wanted: Collection[np.dtype[Any]] = FLOATS) -> str:
    """What to do with whole numbers where only floating-point ones are taken."""
    whole = dtype.kind in "iub" and not any(kind.kind in "iub" for kind in wanted)
    return "; .astype(np.float64) makes it one" if whole else ""


def listed(names: Collection[str]) -> str:
    """Names for a message, sorted, the first few."""
    shown = [name if name.isidentifier() else ascii(name) for name in sorted(names)[:_SHOWN]]
    return ", ".join(shown + ["..."] * (len(names) > _SHOWN)) or "none"


def _check_directory(data: bytes, where: str, error: type[EdgePDEError]) -> None:
    """Refuses too many entries by the end record alone, since zipfile reads the whole directory into objects."""
    end = data[-_END.size :]
    if len(end) < _END.size or not end.startswith(b"PK\x05\x06") or not end.endswith(b"\0\0"):
        raise zipfile.BadZipFile("no zip directory at the end of the file")
    *_, count, size, _, _ = _END.unpack(end)
    if data[: -_END.size][-_LOCATOR:].startswith(b"PK\x06\x07"):
        raise error(f"{where}: expected at most {MOST_MEMBERS} members, got a zip64 directory, which is for more")
    if count > MOST_MEMBERS:
        raise error(f"{where}: expected at most {MOST_MEMBERS} members, got {count}")
    if size > MOST_MEMBERS * _ENTRY:
        raise error(f"{where}: expected a directory of at most {MOST_MEMBERS * _ENTRY} bytes, got {size}")


def _infos(archive: zipfile.ZipFile, where: str, limit: int, error: type[EdgePDEError]) -> list[zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS:
        raise error(f"{where}: expected at most {MOST_MEMBERS} members, got {len(infos)}")
    total = sum(info.file_size for info in infos)
    if total > limit + _HEADER * len(infos):
        raise error(f"{where}: expected at most {limit} bytes of arrays, got {total}")
    return infos


def _arrays(
    archive: zipfile.ZipFile,
    infos: list[zipfile.ZipInfo],
    where: str,
    dtypes: Collection[np.dtype[Any]],
    error: type[EdgePDEError],
) -> Arrays:
    arrays: Arrays = {}
    for info in infos:
        name = info.filename.removesuffix(".npy")
        at = f"{where}: member {info.filename!a}"
        if not info.filename.endswith(".npy") or name in arrays:
            raise error(f"{at}: expected one array of that name, ending in .npy")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
            raise error(f"{at}: expected a stored or deflated member")
        with archive.open(info) as member:
            refused = partial(_error, error, at)
            arrays[name] = _array(member, info.file_size, dtypes, refused)
    return arrays


def _error(kind: type[EdgePDEError], at: str, text: str) -> EdgePDEError:
    return kind(f"{at}: {text}")


def _array(
    member: IO[bytes], size: int, dtypes: Collection[np.dtype[Any]], error: Callable[[str], EdgePDEError]
) -> NDArray[Any]:
    head = io.BytesIO(member.read(min(size, _HEADER)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            version = npy.read_magic(head)
            if version not in {(1, 0), (2, 0)}:
                raise error(f"expected npy version 1 or 2, got {version[0]}.{version[1]}")
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, dtype = read_header(head, max_header_size=_HEADER)
    except _NO_HEADER as cause:
        raise error(f"expected an npy header, got {cause}") from None
    if dtype not in dtypes:
        names = ", ".join(dict.fromkeys("text" if known.kind == "U" else known.name for known in dtypes))
        raise error(f"expected {' or '.join(names.rsplit(', ', 1))}, got {dtype}{float_hint(dtype, dtypes)}")
    if len(shape) > 8 or any(type(n) is not int or n < 0 for n in shape):
        raise error(f"expected at most 8 sizes, none negative, got shape {list(shape)}")
    expected = math.prod(shape) * dtype.itemsize
    start = head.tell()
    if expected != size - start:
        raise error(f"shape {list(shape)} expected {expected} bytes, got {size - start}")
    body = head.read() + member.read(max(0, size - head.getbuffer().nbytes))
    if len(body) != expected or member.read(1):
        raise error(f"shape {list(shape)} expected {expected} bytes, got {len(body)}")
    array = np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")
    return np.ascontiguousarray(array).reshape(shape)
