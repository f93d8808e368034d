"""The box as text: low:high per column, names optional, `-1:1,0:1` or `x=-1:1,t=0:1`; `f=-1:1*600` is f0 to f599."""

from __future__ import annotations

from collections.abc import Iterator

from edgepde_runtime.box import Box
from edgepde_runtime.columns import MOST
from edgepde_runtime.errors import InputError


def parse_domain(text: str) -> Box:
    """The box that `text` states; raises InputError naming the column that cannot be read."""
    names: list[str] = []
    low: list[float] = []
    high: list[float] = []
    for part in text.split(","):
        for name, a, b in _columns(part.strip(), len(names)):
            names.append(name)
            low.append(a)
            high.append(b)
    return Box(low, high, names)


def _columns(part: str, first: int) -> Iterator[tuple[str, float, float]]:
    """Name, low and high of the columns that one part stands for, the first of them column `first`."""
    name, named, bounds = part.rpartition("=")
    ends, times, count = bounds.partition("*")
    a, colon, b = ends.partition(":")
    if not colon or (named and not name.strip()):
        raise InputError(f"--domain: column {first} expected low:high or name=low:high, got {part!r}")
    low, high = _number(a, first, part), _number(b, first, part)
    if not times:
        yield name.strip() or f"x{first}", low, high
        return
    for place in range(_count(count, first, part)):
        yield f"{name.strip()}{place}" if named else f"x{first + place}", low, high


def _count(text: str, column: int, part: str) -> int:
    if not text.strip().isdecimal() or len(text) > len(str(MOST)) or not 0 < int(text) <= MOST:
        raise InputError(f"--domain: column {column} expected low:high*count, a count of 1 to {MOST}, got {part!r}")
    return int(text)


def _number(text: str, column: int, part: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--domain: column {column} expected numbers, got {part!r}") from None
