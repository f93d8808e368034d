"""What estimates a coefficient on a device: one file per architecture, with a class that is its name in capitals."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from edgepde.errors import RunError

from ._member import Member


def names() -> tuple[str, ...]:
    """The architectures there are."""
    return tuple(sorted(p.stem for p in Path(__file__).parent.glob("[!_]*.py")))


def from_json(stated: Any, where: str) -> Member:
    """The architecture that a run states; RunError naming the field in `where`, InputError where it cannot be built."""
    kind = stated.get("kind") if isinstance(stated, dict) else None
    if kind not in names():
        raise RunError(f"{where}: kind: expected one of {', '.join(names())}, got {kind!r}")
    made: Member = import_module(f"{__name__}.{kind}").MEMBER.from_json(stated, where)
    return made
