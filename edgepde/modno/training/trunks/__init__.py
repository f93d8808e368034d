"""Trunks of one operator: one file per kind, with a class that is TRUNK there, see _trunk.py."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._trunk import Trunk


def names() -> tuple[str, ...]:
    """The kinds there are."""
    return tuple(sorted(p.stem for p in Path(__file__).parent.glob("[!_]*.py")))


def trunk(kind: str) -> type[Trunk]:
    """A trunk's class by its kind, one of names()."""
    made: type[Trunk] = import_module(f"{__name__}.{kind}").TRUNK
    return made
