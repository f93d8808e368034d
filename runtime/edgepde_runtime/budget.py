"""Budget files: `[[model]]` tables of limits, each for the bundle at `path` (relative to the file)."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from .errors import BudgetError
from .limits import Limits, class_name, max_error, positive

_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Budget:
    """One table: the bundle it is for, as a path and as the file states it, and what must hold."""

    path: Path
    limits: Limits
    stated: str


def _count(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BudgetError(f"{where}: expected a whole number above 0, got {value!r}")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BudgetError(f"{where}: expected a text, got {value!r}")
    return value


def _limit(value: object, where: str) -> float:
    if isinstance(value, str):
        raise BudgetError(f"{where}: expected a number above 0, got {value!r}")
    return positive(value, where)


KEYS: Mapping[str, Callable[[object, str], object]] = {
    "p50_us": _limit,
    "p99_us": _limit,
    "max_error": max_error,
    "min_class": class_name,
    "max_ram_kb": _limit,
    "max_flash_kb": _limit,
    "batch": _count,
    "board": _text,
}


def read(path: str | os.PathLike[str]) -> list[Budget]:
    """The tables of a budget file; raises BudgetError naming the table and key."""
    file = Path(path)
    try:
        with file.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise BudgetError(f"{file}: expected at most {_MOST_BYTES} bytes, got more")
        document = tomllib.loads(data.decode())
    except OSError as error:
        raise BudgetError(f"{file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise BudgetError(f"{file}: expected TOML, got {error}") from None
    _known(document, ["model"], str(file))
    tables = document.get("model")
    if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
        raise BudgetError(f"{file}: expected one [[model]] table or more")
    return [_table(table, f"{file}: model[{i}]", file.parent) for i, table in enumerate(tables)]


def find(path: str | os.PathLike[str], bundle: str | os.PathLike[str]) -> Limits:
    """The limits of the table for this bundle, or of the only table, whose `origin` then says so.

    Raises BudgetError where there is none.
    """
    budgets = read(path)
    wanted = Path(bundle).resolve()
    matching = [b for b in budgets if b.path.resolve() == wanted]
    if len(matching) == 1:
        return matching[0].limits
    if not matching and len(budgets) == 1:
        only = budgets[0]
        return replace(only.limits, origin=f"limits of the only table of {path}, path = {only.stated}")
    paths = ", ".join(str(b.path) for b in budgets)
    raise BudgetError(f"{path}: expected one table for {bundle}, got {len(matching)}; its tables are for {paths}")


def _table(table: Mapping[str, object], where: str, base: Path) -> Budget:
    _known(table, ["path", *KEYS], where)
    if "path" not in table:
        raise BudgetError(f"{where}.path is missing")
    stated = _text(table["path"], f"{where}.path")
    values = {key: KEYS[key](value, f"{where}.{key}") for key, value in table.items() if key != "path"}
    return Budget(base / stated, Limits(**values), stated)  # type: ignore[arg-type]


def _known(table: Mapping[str, object], keys: list[str], where: str) -> None:
    for key in table:
        if key not in keys:
            near = get_close_matches(key, keys, n=1, cutoff=0.0)
            raise BudgetError(f"{where}: unknown key {key!r}; the nearest known is {near[0]}")
