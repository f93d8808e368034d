"""How enclosures pass through each operation: one file per pointwise function or kind of node."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from edgepde_runtime.errors import UnsupportedModel

if TYPE_CHECKING:
    from ._function import Function


def functions() -> tuple[str, ...]:
    """The pointwise functions that have a rule."""
    return tuple(sorted(p.stem for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("_")))


@lru_cache
def function(name: str, exponent: int = 0) -> Function:
    """The rule of a pointwise function; raises UnsupportedModel where there is none."""
    if name not in functions():
        raise UnsupportedModel(f"no certificate rule for {name}; there are {', '.join(functions())}")
    made: Function = import_module(f"{__name__}.{name}").rule(exponent)
    return made
