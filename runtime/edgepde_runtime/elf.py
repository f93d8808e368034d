"""Reading object files (ELF, little endian, 32 and 64 bit): sections and symbols, every offset checked."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from .errors import ObjectFileError

MOST_BYTES = 1 << 28
_WRITE, _ALLOC, _EXEC = 1, 2, 4
_NULL, _SYMTAB, _NOBITS, _DYNSYM = 0, 2, 8, 11
_UNDEFINED, _COMMON = 0, 0xFFF2
_LOCAL = 0


@dataclass(frozen=True)
class Section:
    """A section: its size in bytes, and whether it is loaded, written to, executed."""

    name: str
    size: int
    loaded: bool
    written: bool
    executed: bool


@dataclass(frozen=True)
class Symbol:
    """A symbol with a name; section: where it is defined, None where it is not in a section of this file."""

    name: str
    size: int
    local: bool
    defined: bool
    common: bool
    section: Section | None


@dataclass(frozen=True)
class ObjectFile:
    """The sections and symbols of one file."""

    path: Path
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]

    @property
    def undefined(self) -> frozenset[str]:
        """Names the file uses and does not define."""
        return frozenset(symbol.name for symbol in self.symbols if not symbol.defined)


@dataclass(frozen=True)
class _Layout:
    """How headers and symbols lie; symbol_order: where a symbol has name, info, section and size."""

    header: struct.Struct
    section: struct.Struct
    symbol: struct.Struct
    symbol_order: tuple[int, int, int, int]


_S = struct.Struct
_LAYOUTS = {
    1: _Layout(_S("<16sHHIIIIIHHHHHH"), _S("<10I"), _S("<IIIBBH"), (0, 3, 5, 2)),
    2: _Layout(_S("<16sHHIQQQIHHHHHH"), _S("<IIQQQQIIQQ"), _S("<IBBHQQ"), (0, 1, 3, 5)),
}


def read(path: Path) -> ObjectFile:
    """The sections and symbols of an object, a library or a program; raises ObjectFileError naming file and field."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ObjectFileError(f"{path}: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise ObjectFileError(f"{path}: expected at most {MOST_BYTES} bytes, got more")
    return _Reader(path, data).read()


class _Reader:
    """One file's bytes and what is known of them so far."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.data = path, data
        if data[:4] != b"\x7fELF" or len(data) < 16:
            raise self._error("its start", "an ELF file", repr(data[:4]))
        if data[4] not in _LAYOUTS or data[5] != 1:
            raise self._error("class and byte order", "32 or 64 bit, little endian", f"{data[4]}, {data[5]}")
        self.layout = _LAYOUTS[data[4]]

    def read(self) -> ObjectFile:
        """Headers first; then the fuller of the two symbol tables."""
        fields = self.layout.header.unpack(self._slice("header", 0, self.layout.header.size))
        offset, entry, count, names_at = fields[6], fields[11], fields[12], fields[13]
        if not count or entry != self.layout.section.size:
            raise self._error("section headers", f"some of {self.layout.section.size} bytes", f"{count} of {entry}")
        table = self._slice("section headers", offset, count * entry)
        headers = list(self.layout.section.iter_unpack(table))
        names = self._contents(headers, names_at, "section names")
        sections = tuple(self._section(header, names) for header in headers)
        kinds = [header[1] for header in headers]
        chosen = next((kinds.index(kind) for kind in (_SYMTAB, _DYNSYM) if kind in kinds), None)
        symbols = self._symbols(headers, chosen, sections) if chosen is not None else ()
        return ObjectFile(self.path, sections, symbols)

    def _section(self, header: tuple[int, ...], names: bytes) -> Section:
        kind, flags, size = header[1], header[2], header[5]
        loaded = bool(flags & _ALLOC) and kind != _NULL
        return Section(
            self._text(names, header[0], "section name"), size, loaded, bool(flags & _WRITE), bool(flags & _EXEC)
        )

    def _symbols(self, headers: list[tuple[int, ...]], which: int, sections: tuple[Section, ...]) -> tuple[Symbol, ...]:
        layout = self.layout
        table = self._contents(headers, which, "symbols")
        if headers[which][9] != layout.symbol.size or len(table) % layout.symbol.size:
            raise self._error("symbol size", str(layout.symbol.size), f"{headers[which][9]} in {len(table)} bytes")
        names = self._contents(headers, headers[which][6], "symbol names")
        found = []
        for fields in layout.symbol.iter_unpack(table):
            name_at, info, home, size = (fields[i] for i in layout.symbol_order)
            name = self._text(names, name_at, "symbol name")
            section = sections[home] if _UNDEFINED < home < len(sections) else None
            if name:
                found.append(Symbol(name, size, info >> 4 == _LOCAL, home != _UNDEFINED, home == _COMMON, section))
        return tuple(found)

    def _contents(self, headers: list[tuple[int, ...]], which: int, what: str) -> bytes:
        if which >= len(headers) or headers[which][1] in (_NULL, _NOBITS):
            raise self._error(f"{what}: section", f"one of {len(headers)} with contents", str(which))
        return self._slice(what, headers[which][4], headers[which][5])

    def _slice(self, what: str, offset: int, size: int) -> bytes:
        if offset + size > len(self.data):
            raise self._error(what, f"bytes within {len(self.data)}", f"{offset} .. {offset + size}")
        return self.data[offset : offset + size]

    def _text(self, names: bytes, start: int, what: str) -> str:
        end = names.find(b"\0", start)
        if start >= len(names) or end < 0:
            raise self._error(what, f"text within {len(names)} bytes", f"offset {start}")
        return names[start:end].decode("utf-8", "replace")

    def _error(self, what: str, expected: str, got: str) -> ObjectFileError:
        return ObjectFileError(f"{self.path}: {what}: expected {expected}, got {got}")
