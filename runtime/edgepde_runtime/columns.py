"""Thousands of columns in a few lines of JSON: one entry with a count for columns that differ in their number alone.

{"name": "f0", "count": 2000, ...} stands for columns f0, f1, ... f1999 that share the other members.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from .errors import BundleError
from .fields import Fields

T = TypeVar("T")

FEWEST, MOST = 16, 1 << 20
_NUMBERED = re.compile(r"(.*?)(0|[1-9][0-9]{0,8})", re.DOTALL | re.ASCII)


def compact(entries: Sequence[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    """The same entries, runs of FEWEST or more as one with a count; name: the member that is numbered."""
    made: list[dict[str, Any]] = []
    begin = 0
    while begin < len(entries):
        length = _run(entries, begin, name)
        if length < FEWEST:
            made.append(dict(entries[begin]))
            begin += 1
            continue
        made.append({**entries[begin], "count": length})
        begin += length
    return made


def spelled(entry: Mapping[str, Any], name: str) -> str:
    """An entry of `compact` in words: f0, or f0 .. f1999."""
    found, count = _NUMBERED.fullmatch(entry[name]), entry.get("count", 1)
    return entry[name] if found is None or count == 1 else f"{entry[name]} .. {found[1]}{int(found[2]) + count - 1}"


def names(fields: Fields, name: str) -> list[str]:
    """The columns that an entry stands for. Raises BundleError for a count or a name that says nothing."""
    first = fields.string(name)
    if not fields.has("count"):
        return [first]
    count, found = fields.integer("count"), _NUMBERED.fullmatch(first)
    if not 2 <= count <= MOST:
        raise fields.wrong("count", f"a number of columns from 2 to {MOST}", count)
    if found is None:
        raise fields.wrong(name, "a name that ends in a number where there is a count", ascii(first))
    stem, number = found.groups()
    return [f"{stem}{int(number) + i}" for i in range(count)]


def gathered(items: Iterable[Fields], read: Callable[[Fields], list[T]]) -> tuple[T, ...]:
    """What all entries stand for; BundleError where that is more than MOST columns."""
    found: list[T] = []
    for item in items:
        found += read(item)
        if len(found) > MOST:
            raise BundleError(f"{item.path}: expected at most {MOST} columns in all, got more")
    return tuple(found)


def _run(entries: Sequence[Mapping[str, Any]], begin: int, name: str) -> int:
    """How many entries from `begin` on are one another with the next number."""
    first = entries[begin]
    found = _NUMBERED.fullmatch(first[name])
    if found is None:
        return 1
    stem, number = found.group(1), int(found.group(2))
    for length in range(1, len(entries) - begin):
        following = entries[begin + length]
        if {**first, name: f"{stem}{number + length}"} != dict(following):
            return length
    return len(entries) - begin
