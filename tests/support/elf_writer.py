"""Object files by hand, so that reading them is tested where there is no compiler."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

WRITE, ALLOC, EXEC = 1, 2, 4
PROGBITS, SYMTAB, STRTAB, NOBITS = 1, 2, 3, 8
COMMON = 0xFFF2


@dataclass(frozen=True)
class Part:
    """A section to write; size: of one without contents."""

    name: str
    flags: int
    contents: bytes = b""
    kind: int = PROGBITS
    size: int = 0


@dataclass(frozen=True)
class Name:
    """A symbol to write; home: the number of its section, 0 for none, counted from 1 in the order given."""

    text: str
    home: int = 0
    size: int = 0
    local: bool = False


def object_file(parts: Sequence[Part], symbols: Sequence[Name], *, bits: int = 64) -> bytes:
    """A relocatable file of the sections and symbols, then the tables that describe them."""
    wide = bits == 64
    strings, at = _strings([symbol.text for symbol in symbols])
    entry = struct.Struct("<IBBHQQ" if wide else "<IIIBBH")
    table = bytes(entry.size)
    for symbol, start in zip(symbols, at, strict=True):
        info = 0 if symbol.local else 16
        fields = (
            (start, info, 0, symbol.home, 0, symbol.size) if wide else (start, 0, symbol.size, info, 0, symbol.home)
        )
        table += entry.pack(*fields)
    first = len(parts) + 1
    every = [*parts, Part(".symtab", 0, table, SYMTAB), Part(".strtab", 0, strings, STRTAB)]
    names, starts = _strings([part.name for part in every] + [".shstrtab"])
    every.append(Part(".shstrtab", 0, names, STRTAB))
    head = struct.Struct("<16sHHIQQQIHHHHHH" if wide else "<16sHHIIIIIHHHHHH")
    section = struct.Struct("<IIQQQQIIQQ" if wide else "<10I")
    body, headers = b"", bytes(section.size)
    for part, start in zip(every, starts, strict=True):
        link, size = (first + 1, entry.size) if part.kind == SYMTAB else (0, 0)
        offset, length = head.size + len(body), len(part.contents) or part.size
        headers += section.pack(start, part.kind, part.flags, 0, offset, length, link, 0, 1, size)
        body += part.contents
    identity = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
    last = (head.size, 0, 0, section.size, len(every) + 1, len(every))
    return head.pack(identity, 1, 62 if wide else 40, 1, 0, 0, head.size + len(body), 0, *last) + body + headers


def _strings(texts: Sequence[str]) -> tuple[bytes, list[int]]:
    """The texts one after the other, and where each begins."""
    data, at = b"\0", []
    for text in texts:
        at.append(len(data))
        data += text.encode() + b"\0"
    return data, at
