"""What a model's objects promise a firmware engineer, read from their symbol tables."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edgepde_runtime import footprint
from support.targets.target import Target

MEMORY = frozenset({"memcpy", "memset", "memmove"})


def allowed_undefined(target: Target) -> frozenset[str]:
    """Names a model's objects may leave to others: three of string.h and the compiler's own arithmetic."""
    return MEMORY | target.helpers


def broken_promises(objects: Iterable[Path], target: Target) -> list[str]:
    """In words, each promise the objects together break: a name they lack and may not ask for, data that is written."""
    files = tuple(objects)
    foreign = footprint.undefined_symbols(files) - allowed_undefined(target)
    calls = [f"{target}: calls or reads {name}, which is not allowed" for name in sorted(foreign)]
    return calls + [f"{target}: {name} can be written to" for name in footprint.writable_symbols(files)]


def assert_promises(objects: Iterable[Path], target: Target) -> None:
    """No libm, malloc, stdio or other foreign name, and no writable data."""
    broken = broken_promises(objects, target)
    assert not broken, "\n".join(broken)
