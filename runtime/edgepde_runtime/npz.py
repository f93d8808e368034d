"""Reading npz files that are not trusted: no pickle, no array larger than its file says and the limit allows."""

from __future__ import annotations

import io
import math
import warnings
import zipfile
import zlib
from collections.abc import Callable
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from .errors import EdgePDEError

MOST_MEMBERS = 1024
_HEADER = 4096
_DTYPES = tuple(np.dtype(name) for name in ("<f4", "<f8"))


def read(data: bytes, where: str, limit: int, error: type[EdgePDEError]) -> dict[str, NDArray[np.floating]]:
    """The members of an npz: native float32 or float64 arrays, together at most `limit` bytes.

    Raises `error` naming `where` and the member.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _members(archive, where, limit, error)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError) as cause:
        raise error(f"{where}: expected an npz file, got {cause}") from None


def _members(
    archive: zipfile.ZipFile, where: str, limit: int, error: type[EdgePDEError]
) -> dict[str, NDArray[np.floating]]:
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS:
        raise error(f"{where}: expected at most {MOST_MEMBERS} members, got {len(infos)}")
    total = sum(info.file_size for info in infos)
    if total > limit + _HEADER * len(infos):
        raise error(f"{where}: expected at most {limit} bytes of arrays, got {total}")
    arrays: dict[str, NDArray[np.floating]] = {}
    for info in infos:
        name = info.filename.removesuffix(".npy")
        at = f"{where}: member {info.filename!a}"
        if not info.filename.endswith(".npy") or name in arrays:
            raise error(f"{at}: expected one array of that name, ending in .npy")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
            raise error(f"{at}: expected a stored or deflated member")
        with archive.open(info) as member:
            arrays[name] = _array(member, info.file_size, lambda text, at=at: error(f"{at}: {text}"))  # type: ignore[misc]
    return arrays


def _array(member: IO[bytes], size: int, error: Callable[[str], EdgePDEError]) -> NDArray[np.floating]:
    head = io.BytesIO(member.read(min(size, _HEADER)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            version = npy.read_magic(head)
            if version not in {(1, 0), (2, 0)}:
                raise error(f"expected npy version 1 or 2, got {version}")
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, dtype = read_header(head, max_header_size=_HEADER)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as cause:
        raise error(f"expected an npy header, got {cause}") from None
    if dtype not in _DTYPES:
        raise error(f"expected float32 or float64, got {dtype}")
    if len(shape) > 8 or any(n < 0 for n in shape):
        raise error(f"expected at most 8 sizes, none negative, got shape {shape}")
    expected = math.prod(shape) * dtype.itemsize
    start = head.tell()
    if expected != size - start:
        raise error(f"shape {shape} expected {expected} bytes, got {size - start}")
    body = head.read() + member.read(max(0, size - head.getbuffer().nbytes))
    if len(body) != expected or member.read(1):
        raise error(f"shape {shape} expected {expected} bytes, got {len(body)}")
    array = np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")
    return np.ascontiguousarray(array).reshape(shape)
