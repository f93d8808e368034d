"""Reading the files of a folder that is not trusted: no link is followed, no size is believed."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import BundleError

MOST_FILES = 10_000
_BLOCK = 1 << 20


def scan(root: Path) -> tuple[set[str], set[str]]:
    """Names of all files and of all folders below root, with "/" between parts.

    Raises BundleError for a link, a device, a pipe, or more than MOST_FILES entries.
    """
    files: set[str] = set()
    folders: set[str] = set()
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(root / prefix) as entries:
            found = list(itertools.islice(entries, MOST_FILES + 1))
        for entry in found:
            name = f"{prefix}{entry.name}"
            if entry.is_symlink():
                raise BundleError(f"{root}: {name!a} expected a file or a folder, got a symbolic link")
            if entry.is_dir(follow_symlinks=False):
                folders.add(name)
                waiting.append(f"{name}/")
            elif entry.is_file(follow_symlinks=False):
                files.add(name)
            else:
                raise BundleError(f"{root}: {name!a} expected a file or a folder, got a device, pipe or socket")
            if len(files) + len(folders) > MOST_FILES:
                raise BundleError(f"{root}: expected at most {MOST_FILES} files, got more")
    return files, folders


@contextmanager
def opened(root: Path, name: str, size: int | None, limit: int) -> Iterator[tuple[BinaryIO, int]]:
    """An open file and its size, checked before anything is read: `size` exactly (None: any), at most `limit` bytes."""
    path = root / name
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        link = error.errno == errno.ELOOP
        raise BundleError(f"{path}: {'expected a file, got a symbolic link' if link else error.strerror}") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise BundleError(f"{path}: expected a regular file")
    with os.fdopen(descriptor, "rb") as file:
        if size is not None and status.st_size != size:
            what = "truncated" if status.st_size < size else "altered"
            raise BundleError(f"{path}: {what}: expected {size} bytes, got {status.st_size}")
        if status.st_size > limit:
            raise BundleError(f"{path}: expected at most {limit} bytes, got {status.st_size}")
        yield file, status.st_size


def read(root: Path, name: str, size: int | None, limit: int) -> bytes:
    """A file's bytes; raises BundleError as `opened` does, or where it changes while it is read."""
    with opened(root, name, size, limit) as (file, length):
        data = file.read(length + 1)
    if len(data) != length:
        raise BundleError(f"{root / name}: changed while it was read: expected {length} bytes, got {len(data)}")
    return data


def digest(root: Path, name: str, size: int, limit: int) -> str:
    """The sha256 of a file in hex, read in blocks."""
    running = hashlib.sha256()
    with opened(root, name, size, limit) as (file, length):
        left = length
        while left > 0 and (block := file.read(min(_BLOCK, left))):
            running.update(block)
            left -= len(block)
        if left or file.read(1):
            raise BundleError(f"{root / name}: changed while it was read")
    return running.hexdigest()
