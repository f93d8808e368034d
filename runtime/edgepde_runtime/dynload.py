"""Loading a shared library from bytes that were checked, so that nothing can be put in their place before it."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import trust
from .errors import BackendError

_MACHINES = {"x86_64": 62, "aarch64": 183, "armv7l": 40, "armv6l": 40, "riscv64": 243, "i386": 3, "i686": 3}
_loaded: dict[str, ctypes.CDLL] = {}


def load(data: bytes, where: str) -> ctypes.CDLL:
    """The library whose bytes are `data`, loaded once per process from a private copy that is gone afterwards.

    Raises BackendError naming `where` for a library of another processor or one that the system refuses.
    """
    key = hashlib.sha256(data).hexdigest()
    if key not in _loaded:
        _check(data, where)
        _loaded[key] = _open(data, where)
    return _loaded[key]


def _open(data: bytes, where: str) -> ctypes.CDLL:
    reason = ""
    for parent in _parents():
        try:
            with tempfile.TemporaryDirectory(prefix="edgepde-", dir=parent) as private:
                path = Path(private) / "model.so"
                path.write_bytes(data)
                return ctypes.CDLL(str(path))
        except OSError as error:
            reason = str(error).rpartition(": ")[2]
    raise BackendError(f"backend c99: {where} cannot be loaded: {reason}")


def _parents() -> Iterator[Path]:
    """Folders to copy a library to; a second one, because the first may be mounted without execution."""
    yield Path(tempfile.gettempdir())
    with contextlib.suppress(OSError):
        if trust.why_not(trust.folder()) is None:
            yield trust.folder()


def _check(data: bytes, where: str) -> None:
    if not sys.platform.startswith("linux"):
        return
    if data[:4] != b"\x7fELF" or len(data) < 64:
        raise BackendError(f"backend c99: {where}: expected a shared library (ELF), got something else")
    expected = _MACHINES.get(platform.machine())
    got = int.from_bytes(data[18:20], sys.byteorder)
    bits = {1: 32, 2: 64}.get(data[4], 0)
    own = 64 if sys.maxsize > 1 << 32 else 32
    if (expected is not None and own == 64 and got != expected) or bits != own:
        names = {number: name for name, number in reversed(_MACHINES.items())}
        built = names.get(got, f"processor {got}")
        raise BackendError(
            f"backend c99: {where}: built for {built}, {bits} bits; this is {platform.machine()}, {own} bits"
        )
