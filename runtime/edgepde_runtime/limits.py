"""Limits a bundle is held against: from flags or from a budget file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .errorlimits import EVERY, ErrorLimits, RegionLimit
from .errors import BudgetError
from .subbox import Range, SubBox
from .term import CLASSES

MIN_CLASSES = CLASSES[:-1]
_NAME = re.compile(r"(?P<output>[^\[\]=]*)(?:\[(?P<box>[^\[\]]*)\])?")
_COMMA = re.compile(r",(?![^\[]*\])")


@dataclass(frozen=True)
class Limits:
    """What must hold; None means not asked. max_error: in the output's unit.

    origin: where they come from, where a reader might think otherwise. here: the names of those meant for this machine
    even where `board` names another.
    """

    p50_us: float | None = None
    p99_us: float | None = None
    max_error: ErrorLimits = field(default_factory=ErrorLimits)
    min_class: str = "measured"
    max_ram_kb: float | None = None
    max_flash_kb: float | None = None
    batch: int = 1
    board: str | None = None
    origin: str = ""
    here: frozenset[str] = frozenset()

    def overridden(self, flags: Mapping[str, Any]) -> Limits:
        """These limits with those given as flags, by name, which hold for this machine whatever the board.

        A limit of max_error replaces that of the same output and part, one for every output ("") all of them.
        """
        changed = dict(flags)
        if "max_error" in flags:
            changed["max_error"] = self.max_error.overridden(flags["max_error"])
        return replace(self, **changed, here=self.here | flags.keys())


def positive(value: object, where: str) -> float:
    """A finite number above 0; raises BudgetError naming `where`."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except ValueError:
        number = math.nan
    if not 0.0 < number < math.inf:
        raise BudgetError(f"{where}: expected a number above 0, got {value!r}")
    return number


def class_name(value: object, where: str) -> str:
    """A class that may be asked for; raises BudgetError naming `where`."""
    if value not in MIN_CLASSES:
        raise BudgetError(f"{where}: expected {', '.join(MIN_CLASSES)}, got {value!r}")
    return str(value)


def max_error(value: object, where: str) -> ErrorLimits:
    """A number for every output, u=1e-3,u_x=1e-2, parts of the box as u[x=0.4:0.6,t=0:0.2]=1e-4, or all of it a table.

    Raises BudgetError naming `where` and the part that cannot be understood.
    """
    if isinstance(value, ErrorLimits):
        return value
    if isinstance(value, Mapping):
        if not value:
            raise BudgetError(f"{where}: expected a limit per output, got an empty table")
        named = ((str(name), positive(limit, f"{where}.{name}")) for name, limit in value.items())
        return _limits(named, where)
    if not isinstance(value, str) or "=" not in value:
        return ErrorLimits({EVERY: positive(value, where)})
    return _limits((_part(text.strip(), where) for text in _COMMA.split(value)), where)


def _part(text: str, where: str) -> tuple[str, float]:
    """NAME=LIMIT, or a bare limit for every output."""
    name, equals, limit = text.rpartition("=")
    if not equals:
        return EVERY, positive(limit.strip(), where)
    if not name.strip() or name.count("[") != name.count("]"):
        raise BudgetError(f"{where}: expected each output once as name=value, got {text!r}")
    return name.strip(), positive(limit.strip(), f"{where}: {name.strip()}")


def _limits(named: Iterable[tuple[str, float]], where: str) -> ErrorLimits:
    outputs: dict[str, float] = {}
    regions: dict[tuple[str, tuple[tuple[str, Range], ...]], RegionLimit] = {}
    for name, limit in named:
        match = _NAME.fullmatch(name)
        if match is None:
            raise BudgetError(f"{where}: expected NAME or NAME[column=low:high], got {name!r}")
        output = match["output"].strip()
        if match["box"] is None:
            if output in outputs:
                raise BudgetError(f"{where}: expected each output once as name=value, got {output!r} twice")
            outputs[output] = limit
            continue
        box = _box(match["box"], f"{where}: {name}")
        key = output, tuple(sorted(box.items()))
        if key in regions:
            raise BudgetError(f"{where}: expected each part of the box once, got {name} twice")
        regions[key] = RegionLimit(output, box, limit)
    return ErrorLimits(outputs, tuple(regions.values()))


def _box(text: str, where: str) -> SubBox:
    ranges: dict[str, Range] = {}
    for part in text.split(","):
        column, _, ends = (piece.strip() for piece in part.partition("="))
        low, colon, high = (piece.strip() for piece in ends.partition(":"))
        try:
            numbers = float(low), float(high)
        except ValueError:
            numbers = math.nan, math.nan
        if not column or not colon or not all(map(math.isfinite, numbers)):
            raise BudgetError(f"{where}: expected column=low:high, got {part.strip()!r}")
        if column in ranges:
            raise BudgetError(f"{where}: expected each column once, got {column!r} twice")
        if not numbers[0] < numbers[1]:
            raise BudgetError(f"{where}: column {column}: expected low < high, got {low} and {high}")
        ranges[column] = numbers
    return ranges
