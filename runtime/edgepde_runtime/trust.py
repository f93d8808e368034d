"""Which bundles were written on this machine, and the libraries compiled from bundles: the user's own cache.

The cache is believed only where it and what it holds belong to the user and nobody else may write there.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from .fields import HASH

_LIBRARIES, _WRITTEN = "libraries", "written"
LARGEST_LIBRARY = 256 * 1024 * 1024


def folder() -> Path:
    """Where the cache is or would be: $XDG_CACHE_HOME/edgepde, else ~/.cache/edgepde."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if os.path.isabs(given) else Path("~/.cache").expanduser()) / "edgepde"


def why_not(path: Path) -> str | None:
    """Why a folder or file of the cache is not believed, in words; None where it is. Links are not followed."""
    if not hasattr(os, "geteuid"):
        return "this system does not say whose it is"
    try:
        status = os.lstat(path)
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISDIR(status.st_mode) and not stat.S_ISREG(status.st_mode):
        return "it is neither a folder nor a file"
    if status.st_uid != os.geteuid():
        return f"it belongs to user {status.st_uid}, not to {os.geteuid()}"
    if status.st_mode & 0o022:
        return f"others may write there (mode {stat.S_IMODE(status.st_mode):o})"
    return None


def remember(bundle_id: str) -> bool:
    """Notes that the bundle was written here; False, and nothing else, where the cache cannot be used."""
    place = _place(_WRITTEN, create=True)
    if place is None or not HASH.fullmatch(bundle_id):
        return False
    try:
        os.close(os.open(place / bundle_id, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600))
    except OSError:
        return False
    return known(bundle_id)


def known(bundle_id: str) -> bool:
    """Whether the bundle was written on this machine by this user."""
    place = _place(_WRITTEN)
    return place is not None and bool(HASH.fullmatch(bundle_id)) and why_not(place / bundle_id) is None


def kept(bundle_id: str, triple: str, compiler: str | None) -> bytes | None:
    """The library that `compiler` made of a bundle, or any compiler where None; None where there is none."""
    place = _place(_LIBRARIES)
    if place is None:
        return None
    pattern = f"{bundle_id}-{triple}-{compiler or '*'}.so"
    for path in sorted(place.glob(pattern)):
        if (data := _read(path)) is not None:
            return data
    return None


def keep(bundle_id: str, triple: str, compiler: str) -> Path | None:
    """Where to write a library that is to be kept, in one step; None where the cache cannot be used."""
    place = _place(_LIBRARIES, create=True)
    return place / f"{bundle_id}-{triple}-{compiler}.so" if place is not None else None


def libraries() -> int:
    """How many libraries are kept."""
    place = _place(_LIBRARIES)
    return len(list(place.glob("*.so"))) if place is not None else 0


def written() -> int:
    """How many bundles are known to be written here."""
    place = _place(_WRITTEN)
    return len([path for path in place.iterdir() if HASH.fullmatch(path.name)]) if place is not None else 0


def _read(path: Path) -> bytes | None:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        own = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022
        return file.read() if own and status.st_size <= LARGEST_LIBRARY else None


def _place(name: str, create: bool = False) -> Path | None:
    """A folder of the cache; None where it or the cache is not believed, or is not there and not to be made."""
    for path in (folder(), folder() / name):
        if create:
            with contextlib.suppress(OSError):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if why_not(path) is not None or not path.is_dir():
            return None
    return folder() / name
