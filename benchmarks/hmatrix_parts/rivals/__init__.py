"""Other ways to store a matrix of a trained network, one file each.

Each has NAME, settings(shape), from fewest bytes to most, and held(weight, inputs, setting): weight [m, n], inputs
[N, n] what the layer reads at points of the box.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType


def known() -> list[ModuleType]:
    """All of them."""
    names = sorted(p.stem for p in Path(__file__).parent.glob("[!_]*.py"))
    return [import_module(f"{__name__}.{name}") for name in names]
