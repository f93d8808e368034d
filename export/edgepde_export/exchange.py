"""Putting a finished folder in the place of another in one step: the old or the new is there, never half of one."""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """An empty sibling folder of `target` to fill; on leaving normally it takes target's place, else it is removed.

    Leftovers of processes that died are cleaned, and an old folder one of them had moved aside is put back.
    Raises OSError where the system refuses.
    """
    with beside(target) as temporary:
        yield temporary
        _synchronise(temporary)
        _replace(target, temporary)
        _sync(target.parent)


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """An empty sibling folder of `target`, removed on leaving; leftovers are cleaned as building() does."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _recover(target)
    temporary = _sibling(target, "new")
    try:
        temporary.mkdir()
        yield temporary
    finally:
        if temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)


def swap(target: Path, new: Path, old: Path) -> None:
    """`new` becomes `target`, and what was `target` becomes `old`, which must not be there yet.

    At every moment `target` is whole, or, where the system cannot exchange two folders, what it was lies in `old`.
    Where it fails or is interrupted nothing has moved. Raises OSError where the system refuses.
    """
    mark = new.stat().st_ino
    _synchronise(new)
    try:
        new.rename(old)
        if not _exchange(old, target):
            old.rename(new)
            target.rename(old)
            new.rename(target)
    finally:
        _undo(target, new, old, mark)
    with suppress(OSError):  # both folders are on the disk whole, under whichever names
        _sync(target.parent)


def _undo(target: Path, new: Path, old: Path, mark: int) -> None:
    """Everything back in its place, unless the folder with the inode `mark` became the target."""
    if old.exists() and old.stat().st_ino == mark:
        old.rename(new)
    elif old.exists() and not target.exists():
        old.rename(target)


def _sibling(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.{kind}-{os.getpid()}-{secrets.token_hex(4)}")


def _recover(target: Path) -> None:
    pattern = re.compile(re.escape(f".{target.name}.") + r"(new|old)-(\d+)-[0-9a-f]{8}")
    for entry in sorted(target.parent.iterdir()):
        match = pattern.fullmatch(entry.name)
        if match is None or _alive(int(match[2])):
            continue
        if match[1] == "old" and not target.exists():
            entry.rename(target)
        else:
            shutil.rmtree(entry, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return process != os.getpid()


def _synchronise(folder: Path) -> None:
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(target: Path, new: Path) -> None:
    """`new` becomes `target`; what was there ends up under new's name (one step) or is gone."""
    if not target.exists():
        new.rename(target)
    elif not _exchange(new, target):
        _move_aside(target, new)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two folders in one system call; False where the system or file system has none."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(renameat2(_HERE, os.fsencode(a), _HERE, os.fsencode(b), _EXCHANGE) == 0)


def _move_aside(target: Path, new: Path) -> None:
    old = _sibling(target, "old")
    try:
        target.rename(old)
        new.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    finally:
        if old.exists() and target.exists():
            shutil.rmtree(old, ignore_errors=True)
