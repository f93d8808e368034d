"""Held-out data: values of the true field that no training sees, to measure the error against."""

from __future__ import annotations

import hashlib
import lzma
import struct
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from edgepde_runtime.box import Box
from numpy.lib import format as npy
from numpy.typing import NDArray

from edgepde.errors import DataError

LIMIT_BYTES = 2 << 30
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
    EOFError,
    ValueError,
    OverflowError,
    RuntimeError,
)
MEMBERS = ("parameters", "points", "values")
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """values[b, m] = u(points[m]; parameters[b]): parameters [B, P], points [M, d], values [B, M], float64, finite."""

    source: Path
    sha256: str
    parameters: Array
    points: Array
    values: Array

    def check_inside(self, parameters: Box, points: Box) -> HeldOut:
        """The data itself if every row lies in its box; DataError naming file, member, row and column otherwise."""
        for member, rows, box in (("parameters", self.parameters, parameters), ("points", self.points, points)):
            if rows.shape[1] != box.dimension:
                raise DataError(
                    f"{self.source}: {member}: expected {box.dimension} columns ({', '.join(box.names)}), "
                    f"got {rows.shape[1]}"
                )
            outside = np.flatnonzero(~box.contains(rows))
            if outside.size:
                row = int(outside[0])
                low, high = np.asarray(box.low), np.asarray(box.high)
                column = int(np.flatnonzero((rows[row] < low) | (rows[row] > high))[0])
                raise DataError(
                    f"{self.source}: {member}: row {row}: {box.names[column]} expected in "
                    f"[{box.low[column]}, {box.high[column]}], got {rows[row, column]} ({outside.size} rows outside)"
                )
        return self


def read_held_out(path: Path | str) -> HeldOut:
    """Read an .npz with parameters [B, P], points [M, d] and values [B, M].

    Raises DataError naming file and member: not an npz, a member missing, unknown, too large, truncated, not of real
    numbers, not finite, empty, of the wrong rank, or of shapes that disagree.
    """
    source = Path(path)
    try:
        with open(source, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            with zipfile.ZipFile(file) as archive:
                arrays = _members(source, archive)
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror or error}") from error
    except DAMAGE as error:
        raise DataError(f"{source}: expected an .npz file: {error}") from None
    parameters, points, values = (arrays[name] for name in MEMBERS)
    expected = (len(parameters), len(points))
    if values.shape != expected:
        raise DataError(
            f"{source}: values: expected {list(expected)}, rows of parameters by rows of points, "
            f"got {list(values.shape)}"
        )
    return HeldOut(source, digest, parameters, points, values)


def _members(source: Path, archive: zipfile.ZipFile) -> dict[str, Array]:
    names = sorted(archive.namelist())
    expected = sorted(f"{name}.npy" for name in MEMBERS)
    if names != expected:
        raise DataError(
            f"{source}: expected the members {sorted(MEMBERS)}, got {[n.removesuffix('.npy') for n in names]}"
        )
    total = sum(info.file_size for info in archive.infolist())
    if total > LIMIT_BYTES:
        raise DataError(f"{source}: expected at most {LIMIT_BYTES} bytes unpacked, got {total}")
    return {name: _member(source, archive, name) for name in MEMBERS}


def _member(source: Path, archive: zipfile.ZipFile, name: str) -> Array:
    where = f"{source}: {name}"
    info = archive.getinfo(f"{name}.npy")
    try:
        with archive.open(info) as file:
            shape, fortran, dtype, offset = _header(where, file)
            count = int(np.prod(shape, dtype=object))
            if count * dtype.itemsize != info.file_size - offset:
                raise DataError(f"{where}: truncated: {list(shape)} {dtype} does not fill its {info.file_size} bytes")
            raw = np.frombuffer(file.read(), dtype=dtype, count=count)
    except DAMAGE as error:
        raise DataError(f"{where}: truncated or altered: {error}") from None
    rows = raw.reshape(shape, order="F" if fortran else "C").astype(np.float64)
    finite = np.isfinite(rows)
    if not finite.all():
        raise DataError(f"{where}: expected finite numbers, got {int((~finite).sum())} NaN or infinite")
    return np.ascontiguousarray(rows)


def _header(where: str, file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic], int]:
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"{where}: expected .npy version 1 or 2, got {version}")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.kind not in "fiu":
        raise DataError(f"{where}: expected real numbers, got {dtype}")
    if len(shape) != 2 or min(shape) < 1:
        raise DataError(f"{where}: expected two dimensions, none of them 0, got {list(shape)}")
    return shape, fortran, dtype, file.tell()
