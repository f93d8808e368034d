"""Shared branches: one file per kind, with a class that is BRANCH there, see _branch.py."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgepde_runtime.errors import InputError

if TYPE_CHECKING:
    from ._branch import Branch


def names() -> tuple[str, ...]:
    """The kinds there are."""
    return tuple(sorted(p.stem for p in Path(__file__).parent.glob("[!_]*.py")))


def branch(kind: str) -> type[Branch]:
    """A branch's class by its kind. InputError for one there is not."""
    if kind not in names():
        raise InputError(f"modno: branch: kind: expected one of {list(names())}, got {kind!r}")
    made: type[Branch] = import_module(f"{__name__}.{kind}").BRANCH
    return made


def build(description: Mapping[str, Any]) -> Branch:
    """A branch with fresh weights from what `Branch.description` says; InputError for what that cannot be."""
    given = dict(description)
    kind = branch(str(given.pop("kind", None)))
    try:
        return kind(**given)
    except TypeError as error:
        raise InputError(f"modno: branch {kind.name}: {error}") from None
