"""The bundle that stood there before, kept beside the new one; and putting it back."""

from __future__ import annotations

import glob
import hashlib
from pathlib import Path

from edgepde_runtime import bundle as reader
from edgepde_runtime.bundle import INDEX, Bundle
from edgepde_runtime.errors import EdgePDEError, InputError

from ..errors import TargetError
from ..exchange import beside, swap
from .settings import read_ledger

SHOWN = 8
NOTE = "recompressed"


def kept_as(target: Path, id_: str) -> Path:
    """Where the bundle of that id is kept when another takes its place."""
    return target.with_name(f"{target.name}.before-{id_[:SHOWN]}")


def replace(target: Path, new: Path, id_: str) -> Path:
    """`new`, a folder beside `target`, takes its place; returns where the bundle of that id is kept.

    Raises TargetError where the system refuses or something is in the way; `target` is then as it was.
    """
    old = kept_as(target, id_)
    if old.exists() and not _leftover(old, id_):
        raise TargetError(f"{old}: is in the way: {target} is kept there; move it elsewhere")
    try:
        if old.exists():
            with beside(old) as away:
                old.rename(away / old.name)
        swap(target, new, old)
    except OSError as error:
        raise TargetError(f"{target}: {error.strerror or error}; the bundle that was there is kept") from error
    return old


def _leftover(old: Path, id_: str) -> bool:
    """Whether a folder is what a swap that died left, another bundle than its name says, or the same one again."""
    try:
        held = reader.read(old)
    except EdgePDEError:
        return False
    return held.id == id_ or came_from(held) == id_


def came_from(bundle: Bundle) -> str | None:
    """The id of the bundle that this one was made to replace; None where it was not."""
    note = read_ledger(bundle).get(NOTE)
    found = note.get("from") if isinstance(note, dict) else None
    return found if isinstance(found, str) else None


def roll_back(target: Path) -> Path:
    """Put back the bundle that `target` replaced, and keep `target` in turn; returns where that is kept.

    Raises InputError where none is kept or nothing says which, BundleError for one that is damaged, TargetError where
    the system refuses.
    """
    old = _predecessor(target)
    reader.read(old)
    if not target.exists():
        old.rename(target)
        return target
    kept = kept_as(target, _id(target))
    if kept.exists():
        raise TargetError(f"{kept}: is in the way: {target} is to be kept there; move it elsewhere")
    try:
        swap(target, old, kept)
    except OSError as error:
        raise TargetError(f"{target}: {error.strerror or error}; nothing was changed") from error
    return kept


def _predecessor(target: Path) -> Path:
    found = sorted(path for path in target.parent.glob(f"{glob.escape(target.name)}.before-*") if path.is_dir())
    every = [path for path in found if path == kept_as(target, _id(path))]
    try:
        named = came_from(reader.read(target))
    except EdgePDEError:
        named = None
    if named is not None and (there := kept_as(target, named)) in every:
        return there
    if len(every) == 1:
        return every[0]
    if not every:
        raise InputError(f"{target}: nothing to roll back to: no {target.name}.before-... is kept beside it")
    names = ", ".join(path.name for path in every)
    raise InputError(f"{target}: nothing says which one it replaced: {names}; move all but one elsewhere")


def _id(target: Path) -> str:
    """The id of a bundle, even of a damaged one."""
    try:
        return hashlib.sha256((target / INDEX).read_bytes()).hexdigest()
    except OSError:
        return "unknown"
