"""Networks that can host a field: one file each, with a class that is HOST there, see _host.py."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgepde_runtime.errors import InputError

if TYPE_CHECKING:
    from ._host import Host


def names() -> tuple[str, ...]:
    """The hosts there are."""
    return tuple(sorted(p.stem for p in Path(__file__).parent.glob("[!_]*.py")))


def host(name: str) -> type[Host]:
    """A host's class by its name. InputError for one there is not."""
    if name not in names():
        raise InputError(f"mollifier: host: expected one of {list(names())}, got {name!r}")
    made: type[Host] = import_module(f"{__name__}.{name}").HOST
    return made


def build(description: Mapping[str, Any]) -> Host:
    """A host with fresh weights from what `Host.description` says; InputError for what that cannot be."""
    given = dict(description)
    kind = host(str(given.pop("host", None)))
    try:
        return kind(**given)
    except TypeError as error:
        raise InputError(f"mollifier: host {kind.name}: {error}") from None
