"""Solution operators u(0, .) -> u(t, .) of one-dimensional periodic equations, by name.

Every module here that does not begin with _ has OPERATORS, those of one equation.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from edgepde.errors import ProblemError

if TYPE_CHECKING:
    from ._operator import Operator


def names() -> tuple[str, ...]:
    """All operators there are, by the paper's experiment, then by name."""
    return tuple(sorted(_known(), key=lambda name: (_known()[name].group, name)))


def operator(name: str) -> Operator:
    """The operator of a name. ProblemError for one there is not: the nearest and all that are known."""
    if name not in _known():
        near = difflib.get_close_matches(name, _known(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise ProblemError(f"operator {name!r}: not found; {hint}known: {', '.join(names())}")
    return _known()[name]


@cache
def _known() -> dict[str, Operator]:
    files = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
    found = [made for file in files for made in import_module(f"{__name__}.{file}").OPERATORS]
    return {made.name: made for made in found}
