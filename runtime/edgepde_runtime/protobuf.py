"""A bounds-checked reader of the protobuf wire format: every length is compared with the bytes present before use."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from .errors import ModelFileError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_FIELDS = 1 << 19


class Field(NamedTuple):
    """One field: number, wire type, its integer (wire type 0) or payload (the others), all its bytes, tag included."""

    number: int
    wire: int
    integer: int
    payload: memoryview
    raw: memoryview


def varint(data: memoryview, start: int, where: str) -> tuple[int, int]:
    """The unsigned 64-bit integer at `start` and the offset behind it; ModelFileError where it is cut or too long."""
    value = 0
    for i in range(10):
        if start + i >= len(data):
            raise ModelFileError(f"{where}: expected the rest of an integer at byte {start}, got the end of the data")
        byte = data[start + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            if value >> 64:
                break
            return value, start + i + 1
    raise ModelFileError(f"{where}: expected an integer below 2^64 at byte {start}, got a longer one")


def signed(value: int) -> int:
    """A 64-bit pattern read as two's complement."""
    return value - (1 << 64) if value >> 63 else value


def scan(data: memoryview, where: str) -> Iterator[Field]:
    """The fields of one message in file order, nested messages unread; ModelFileError for anything out of bounds."""
    at = 0
    while at < len(data):
        start = at
        tag, at = varint(data, at, where)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise ModelFileError(f"{where}: expected a field number in 1 ... 2^29 - 1, got {number} at byte {start}")
        integer, length = 0, 0
        if wire == VARINT:
            integer, at = varint(data, at, where)
        elif wire in (BYTES, FIXED32, FIXED64):
            length = {FIXED32: 4, FIXED64: 8}.get(wire, 0)
            if wire == BYTES:
                length, at = varint(data, at, where)
            if length > len(data) - at:
                raise ModelFileError(
                    f"{where}: field {number} expected {length} bytes, got {len(data) - at} to the end of the data"
                )
        else:
            raise ModelFileError(f"{where}: field {number} expected wire type 0, 1, 2 or 5, got {wire}")
        payload, at = data[at : at + length], at + length
        yield Field(number, wire, integer, payload, data[start:at])


@final
class Message:
    """The fields of one message by number; accessors check wire types.

    `where` is the path that error messages begin with. `parent` shares its count of fields: a file has at most
    MAX_FIELDS of them in all, so memory stays in proportion to a limit and not to what the file claims.
    """

    def __init__(self, data: memoryview, where: str, parent: Message | None = None) -> None:
        self.where = where
        self._counter: list[int] = [0] if parent is None else parent._counter
        self._fields: dict[int, list[Field]] = {}
        for entry in scan(data, where):
            self._counter[0] += 1
            if self._counter[0] > MAX_FIELDS:
                raise ModelFileError(f"{where}: expected at most {MAX_FIELDS} fields in the file, got more")
            self._fields.setdefault(entry.number, []).append(entry)

    def has(self, number: int) -> bool:
        """Whether the field occurs."""
        return number in self._fields

    def _values(self, number: int, wire: int, name: str) -> list[Field]:
        found = self._fields.get(number, [])
        for entry in found:
            if entry.wire != wire:
                raise ModelFileError(f"{self.where}.{name}: expected wire type {wire}, got {entry.wire}")
        return found

    def integer(self, number: int, name: str, default: int = 0) -> int:
        """A signed integer, the last one given."""
        found = self._values(number, VARINT, name)
        return signed(found[-1].integer) if found else default

    def single(self, number: int, name: str) -> float:
        """A float32, the last one given; 0 where absent."""
        found = self._values(number, FIXED32, name)
        return float(struct.unpack("<f", found[-1].payload)[0]) if found else 0.0

    def blobs(self, number: int, name: str) -> list[memoryview]:
        """Every occurrence of a length-delimited field."""
        return [entry.payload for entry in self._values(number, BYTES, name)]

    def blob(self, number: int, name: str) -> memoryview | None:
        """A length-delimited field that may occur once; ModelFileError where it occurs twice."""
        found = self.blobs(number, name)
        if len(found) > 1:
            raise ModelFileError(f"{self.where}.{name}: expected it once, got it {len(found)} times")
        return found[0] if found else None

    def messages(self, number: int, name: str) -> Iterator[Message]:
        """Every occurrence of a nested message, read one at a time."""
        for i, blob in enumerate(self.blobs(number, name)):
            yield Message(blob, f"{self.where}.{name}[{i}]", self)

    def message(self, number: int, name: str) -> Message | None:
        """A nested message that may occur once; ModelFileError where it occurs twice."""
        blob = self.blob(number, name)
        return None if blob is None else Message(blob, f"{self.where}.{name}", self)

    def texts(self, number: int, name: str) -> tuple[str, ...]:
        """Every occurrence of a text field; ModelFileError where it is not UTF-8."""
        try:
            return tuple(str(blob, "utf-8") for blob in self.blobs(number, name))
        except UnicodeDecodeError as error:
            raise ModelFileError(
                f"{self.where}.{name}: expected UTF-8 text, got other bytes ({error.reason})"
            ) from None

    def text(self, number: int, name: str) -> str:
        """The last occurrence of a text field; "" where absent."""
        return (self.texts(number, name) or ("",))[-1]

    def integers(self, number: int, name: str, limit: int = MAX_FIELDS) -> NDArray[np.int64]:
        """A repeated integer field, packed or not, int64 [n]; n <= limit is checked before anything is allocated."""
        parts = self._fields.get(number, [])
        for part in parts:
            if part.wire not in (VARINT, BYTES):
                raise ModelFileError(f"{self.where}.{name}: expected wire type 0 or 2, got {part.wire}")
            if part.payload and part.payload[-1] >= 0x80:
                raise ModelFileError(f"{self.where}.{name}: expected the rest of an integer, got the end of the field")
        # An integer ends at a byte below 0x80, so counting those needs no decoding.
        packed = sum(int(np.count_nonzero(np.frombuffer(p.payload, np.uint8) < 0x80)) for p in parts)
        count = packed + sum(p.wire == VARINT for p in parts)
        self._count(name, count, limit)
        return np.fromiter(self._unpacked(parts, name), np.int64, count)

    def _unpacked(self, parts: list[Field], name: str) -> Iterator[int]:
        for part in parts:
            if part.wire == VARINT:
                yield signed(part.integer)
                continue
            at = 0
            while at < len(part.payload):
                value, at = varint(part.payload, at, f"{self.where}.{name}")
                yield signed(value)

    def reals(self, number: int, name: str, dtype: str, limit: int = MAX_FIELDS) -> NDArray[Any]:
        """A repeated float field, dtype "<f4" or "<f8", packed or not, [n]; n <= limit is checked first."""
        width = np.dtype(dtype).itemsize
        alone = FIXED32 if width == 4 else FIXED64
        parts = []
        for part in self._fields.get(number, []):
            if part.wire not in (BYTES, alone):
                raise ModelFileError(f"{self.where}.{name}: expected wire type {alone} or 2, got {part.wire}")
            if len(part.payload) % width:
                raise ModelFileError(
                    f"{self.where}.{name}: expected a multiple of {width} bytes, got {len(part.payload)}"
                )
            parts.append(part.payload)
        self._count(name, sum(len(p) for p in parts) // width, limit)
        return np.frombuffer(b"".join(parts), dtype).astype(np.dtype(dtype).newbyteorder("="))

    def _count(self, name: str, count: int, limit: int) -> None:
        if count > limit:
            raise ModelFileError(f"{self.where}.{name}: expected at most {limit} values, got {count}")
