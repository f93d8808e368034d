"""The forms a kernel can have: one file each, with a class that is its name in capitals, see _form.py."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from edgepde_runtime.errors import InputError

if TYPE_CHECKING:
    from ._form import Form


def names() -> tuple[str, ...]:
    """The forms there are."""
    return tuple(sorted(p.stem for p in Path(__file__).parent.glob("[!_]*.py")))


def form(name: str) -> Form:
    """A form by its name. InputError for one there is not."""
    if name not in names():
        raise InputError(f"factorconv: form: expected one of {list(names())}, got {name!r}")
    made: Form = import_module(f"{__name__}.{name}").FORM
    return made
