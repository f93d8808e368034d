"""Limits a bundle is held against: from flags or from a budget file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import BudgetError
from .term import CLASSES

MIN_CLASSES = CLASSES[:-1]


@dataclass(frozen=True)
class Limits:
    """What must hold; None means not asked. max_error: by output name, "" for every output, in the output's unit.

    origin: where they come from, where a reader might think otherwise. here: the names of those meant for this machine
    even where `board` names another.
    """

    p50_us: float | None = None
    p99_us: float | None = None
    max_error: Mapping[str, float] = field(default_factory=dict)
    min_class: str = "measured"
    max_ram_kb: float | None = None
    max_flash_kb: float | None = None
    batch: int = 1
    board: str | None = None
    origin: str = ""
    here: frozenset[str] = frozenset()

    def overridden(self, flags: Mapping[str, Any]) -> Limits:
        """These limits with those given as flags, by name, which hold for this machine whatever the board.

        A limit of max_error replaces that of the same output, one for every output ("") all of them.
        """
        changed = dict(flags)
        if "max_error" in flags and "" not in flags["max_error"]:
            changed["max_error"] = {**self.max_error, **flags["max_error"]}
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


def max_error(value: object, where: str) -> dict[str, float]:
    """A number for every output, "u=1e-3,u_x=1e-2", or a table; raises BudgetError naming `where`."""
    if isinstance(value, Mapping):
        if not value:
            raise BudgetError(f"{where}: expected a limit per output, got an empty table")
        return {str(name): positive(limit, f"{where}.{name}") for name, limit in value.items()}
    if not isinstance(value, str) or "=" not in value:
        return {"": positive(value, where)}
    limits: dict[str, float] = {}
    for part in value.split(","):
        name, _, limit = (text.strip() for text in part.partition("="))
        if not name or name in limits:
            raise BudgetError(f"{where}: expected each output once as name=value, got {part.strip()!r}")
        limits[name] = positive(limit, f"{where}: {name}")
    return limits
