"""The forms a network can be given: one file each, with options(network, x) and apply(network, options, x)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType


def names() -> tuple[str, ...]:
    """The forms there are, as --method spells them."""
    return tuple(sorted(p.stem.replace("_", "-") for p in Path(__file__).parent.glob("[!_]*.py")))


def form(name: str) -> ModuleType:
    """The module of a form."""
    return import_module(f"{__name__}.{name.replace('-', '_')}")
