"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from edgepde.errors import RunError

TEMPORARY = ".tmp-"


def write_file(path: Path, data: bytes) -> None:
    """Replace the file in one step: temporary sibling, fsync, rename, fsync of the folder.

    Raises RunError naming the file where the system refuses (full, read-only, not allowed); the old file then stands.
    """
    reached_disk(path, lambda: _write(path, data))


def make_folder(path: Path) -> None:
    """Create the folder and its parents; raises RunError naming it where the system refuses."""
    reached_disk(path, lambda: path.mkdir(parents=True, exist_ok=True))


def reached_disk(path: Path, action: Callable[[], None]) -> None:
    """Run the action; an OSError becomes a RunError that says what was kept."""
    try:
        action()
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(
            f"{path}: cannot be written: {reason}; what was written before is kept, "
            "make room (or give another --out) and repeat the command"
        ) from error


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that a killed process left in the folder."""
    for leftover in folder.glob(f"{TEMPORARY}*"):
        leftover.unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
