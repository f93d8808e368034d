"""One training per folder: a lock the kernel drops when its holder dies, whatever the way."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import final

from edgepde.errors import RunError
from edgepde.train.atomic import reached_disk


@final
class Lock:
    """An exclusive hold on `path`, which names the holder's process id; a file left by a dead process is taken over.

    Raises RunError naming the holder where another training has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None
        reached_disk(path, self._acquire)

    def release(self) -> None:
        """Give the folder free; a second call does nothing."""
        if self._handle is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def _acquire(self) -> None:
        while True:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
                os.close(handle)
                raise RunError(
                    f"{self.path.parent.parent}: another training (process {holder}) is writing this run; "
                    "wait for it, stop it, or give another --out"
                ) from None
            if self._is_current(handle):
                break
            os.close(handle)
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        self._handle = handle

    def _is_current(self, handle: int) -> bool:
        """Whether the path still names the file that was locked; its last holder may have unlinked it meanwhile."""
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self.path))
        except FileNotFoundError:
            return False
