"""Finds op rooms by listing the folder `ops`; nothing of a room is imported before it is asked for."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module, resources
from types import MappingProxyType
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from .errors import UnsupportedModel
from .ops.check import complete, inputs_fit
from .ops.rounding import Rounding
from .ops.schema import Op

PACKAGE = f"{__package__}.ops"
Reference = Callable[[Sequence[NDArray[Any] | None], Mapping[str, Any]], tuple[NDArray[Any], ...]]


@final
class Room:
    """One op: its parts are imported when first read."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    @functools.cached_property
    def op(self) -> Op:
        """What the op declares."""
        op: Op = import_module(f"{PACKAGE}.{self.folder}.schema").OP
        return op

    @functools.cached_property
    def reference(self) -> Reference:
        """The numpy definition; wants complete attributes."""
        run: Reference = import_module(f"{PACKAGE}.{self.folder}.reference").run
        return run

    @functools.cached_property
    def rounding(self) -> Rounding:
        """The rounding model."""
        rounding: Rounding = import_module(f"{PACKAGE}.{self.folder}.bound").ROUNDING
        return rounding

    @functools.cached_property
    def body_text(self) -> str | None:
        """The function body in ONNX text form; None for a standard op."""
        path = resources.files(PACKAGE) / self.folder / "body.onnxtxt"
        return path.read_text("utf-8") if path.is_file() else None

    def run(self, inputs: Sequence[NDArray[Any] | None], attributes: Mapping[str, Any]) -> tuple[NDArray[Any], ...]:
        """The reference on checked inputs, attributes completed, infinities and NaN as IEEE has them, without warnings.

        Raises UnsupportedModel where inputs or attributes do not fit the schema.
        """
        complete_attributes = complete(self.op, attributes)
        inputs_fit(self.op, inputs)
        with np.errstate(all="ignore"):
            return self.reference(inputs, complete_attributes)


@functools.cache
def folders() -> tuple[str, ...]:
    """Names of the room folders, sorted."""
    entries = (entry for entry in resources.files(PACKAGE).iterdir() if entry.is_dir() and entry.name[0] not in "_.")
    # A folder that holds nothing but byte code is left over from a room that was removed.
    return tuple(sorted(e.name for e in entries if any(not part.name.startswith("_") for part in e.iterdir())))


@functools.cache
def rooms() -> Mapping[tuple[str, str], Room]:
    """All rooms by (domain, op name); imports every schema."""
    found = [Room(folder) for folder in folders()]
    return MappingProxyType({(room.op.domain, room.op.name): room for room in found})


@functools.cache
def room_for(domain: str, name: str) -> Room | None:
    """The room of one op, None where there is none; imports no other room.

    A folder is the op's name in lower case with underscores anywhere.
    """
    for folder in folders():
        if folder.replace("_", "") == name.lower().replace("_", ""):
            room = Room(folder)
            return room if (room.op.domain, room.op.name) == (domain, name) else None
    return None


def required_room(domain: str, name: str) -> Room:
    """The room of one op; raises UnsupportedModel with near names, if any, where there is none."""
    room = room_for(domain, name)
    if room is None:
        known = {f"{d}.{n}" if d else n for d, n in rooms()}
        asked = f"{domain}.{name}" if domain else name
        near = difflib.get_close_matches(asked, sorted(known), n=5, cutoff=0.6)
        hint = f"; the nearest that have: {', '.join(near)}" if near else ""
        raise UnsupportedModel(f"op {asked} has no implementation{hint}")
    return room
