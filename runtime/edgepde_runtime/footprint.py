"""What compiled objects need of a device: bytes of code and constants, names they lack, memory they write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .elf import ObjectFile, Section, Symbol, read

# Constant once the loader has filled in addresses.
_RELOCATED = ".data.rel.ro"
_UNWIND = (".eh_frame", ".ARM.ex", ".note")


@dataclass(frozen=True)
class Sizes:
    """Bytes: code is executed, constants are only read (weights among them), written is data and bss."""

    code: int
    constants: int
    written: int


def _kind(section: Section) -> str:
    """Which size a section counts for; "" for none: not loaded, or only for unwinding."""
    if not section.loaded or section.name.startswith(_UNWIND):
        return ""
    if section.executed:
        return "code"
    return "written" if section.written and not section.name.startswith(_RELOCATED) else "constants"


def sizes(objects: Iterable[Path]) -> Sizes:
    """Sums over the objects; raises ObjectFileError."""
    totals = {"code": 0, "constants": 0, "written": 0, "": 0}
    for file in map(read, objects):
        for section in file.sections:
            totals[_kind(section)] += section.size
        totals["written"] += sum(symbol.size for symbol in file.symbols if symbol.common)
    return Sizes(totals["code"], totals["constants"], totals["written"])


def text_bytes(objects: Iterable[Path]) -> int:
    """Bytes of machine code and what the compiler put between; raises ObjectFileError."""
    return sizes(objects).code


def undefined_symbols(objects: Iterable[Path]) -> frozenset[str]:
    """Names used by one of the objects and defined by none; raises ObjectFileError."""
    files = [read(path) for path in objects]
    own = {symbol.name for file in files for symbol in file.symbols if symbol.defined and not symbol.local}
    return frozenset().union(*(file.undefined for file in files)) - own


def writable_symbols(objects: Iterable[Path]) -> Sequence[str]:
    """Names of variables, and of sections without one, that a program could write to; raises ObjectFileError."""
    found: set[str] = set()
    for file in map(read, objects):
        found.update(_written_in(file))
    return sorted(found)


def _written_in(file: ObjectFile) -> Iterable[str]:
    for section in file.sections:
        if _kind(section) == "written" and section.size:
            names = [symbol.name for symbol in file.symbols if symbol.section is section and _named(symbol)]
            yield from names or [section.name]
    yield from (symbol.name for symbol in file.symbols if symbol.common)


def _named(symbol: Symbol) -> bool:
    """Whether a variable bears the name, not a place in code or data ("$d" on ARM)."""
    return symbol.size > 0
