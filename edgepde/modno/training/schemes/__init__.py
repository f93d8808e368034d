"""How trunks and branch take turns: one file per scheme, with a class that is SCHEME there, see _scheme.py."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._scheme import Scheme


def names() -> tuple[str, ...]:
    """The schemes there are."""
    return tuple(sorted(p.stem for p in Path(__file__).parent.glob("[!_]*.py")))


def scheme(name: str) -> Scheme:
    """A scheme by its name, one of names()."""
    made: Scheme = import_module(f"{__name__}.{name}").SCHEME()
    return made
