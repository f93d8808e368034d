"""Shapes of mollifiers eta(s) on (-1, 1), one file each, found by listing this folder.

Each has `weight(s)`: eta at s, any shape, up to a factor; and `derivative(s, order)`: its k-th derivative there.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from edgepde_runtime.errors import InputError


def names() -> tuple[str, ...]:
    """All profiles there are."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py")))


def profile(name: str) -> ModuleType:
    """The module of a profile. InputError for one there is not."""
    if name not in names():
        raise InputError(f"profile: expected one of {', '.join(names())}, got {name!r}")
    return import_module(f"{__name__}.{name}")
