"""Parts of the certified box: a column named alone or as input.column, with the range it is held to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .errors import EdgePDEError

if TYPE_CHECKING:
    from .certificate import BoxEntry

Range = tuple[float, float]
SubBox = Mapping[str, Range]


def place(part: SubBox, box: Sequence[BoxEntry], where: str, error: type[EdgePDEError]) -> dict[int, Range]:
    """The ranges of `part` by index of column of `box`; columns not named keep their whole range.

    Raises `error` naming `where` and the column: unknown, ambiguous, named twice, inverted, not inside the box.
    """
    if not part:
        raise error(f"{where}: expected at least one column, got none")
    ranges: dict[int, Range] = {}
    for key, (low, high) in part.items():
        i = _column(key, box, where, error)
        if i in ranges:
            raise error(f"{where}: expected each column once, got {_name(box[i])} twice")
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise error(f"{where}: column {key}: expected finite low < high, got {low!r} and {high!r}")
        if low < box[i].low or high > box[i].high:
            inside = f"[{box[i].low!r}, {box[i].high!r}]"
            raise error(f"{where}: column {key}: expected a range inside the box {inside}, got [{low!r}, {high!r}]")
        ranges[i] = (low, high)
    return ranges


def contains(outer: SubBox, inner: SubBox, box: Sequence[BoxEntry]) -> bool:
    """Whether `outer` holds all of `inner`, both parts of `box`; {} is the whole box."""
    held = _whole(inner, box)
    return all(o[0] <= i[0] and i[1] <= o[1] for o, i in zip(_whole(outer, box), held, strict=True))


def holds(part: SubBox, box: Sequence[BoxEntry], point: Mapping[str, Sequence[float]]) -> bool:
    """Whether the point, columns by input, lies in `part`."""
    left = {name: iter(values) for name, values in point.items()}
    values = [next(left[column.input]) for column in box]
    return all(low <= v <= high for v, (low, high) in zip(values, _whole(part, box), strict=True))


def words(part: SubBox) -> str:
    """A part as it is typed: x=0.4:0.6,t=0:0.2."""
    return ",".join(f"{key}={low!r}:{high!r}" for key, (low, high) in part.items())


def _whole(part: SubBox, box: Sequence[BoxEntry]) -> list[Range]:
    ranges = place(part, box, "box", EdgePDEError) if part else {}
    return [ranges.get(i, (column.low, column.high)) for i, column in enumerate(box)]


def _column(key: str, box: Sequence[BoxEntry], where: str, error: type[EdgePDEError]) -> int:
    found = [i for i, c in enumerate(box) if key in (c.column, _name(c))]
    if len(found) == 1:
        return found[0]
    if found:
        names = " or ".join(_name(box[i]) for i in found)
        raise error(f"{where}: column {key!a} is in several inputs; expected {names}")
    raise error(f"{where}: column {key!a} is unknown; expected {', '.join(c.column for c in box)}")


def _name(column: BoxEntry) -> str:
    return f"{column.input}.{column.column}"
