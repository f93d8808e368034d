"""Writing a file so that a crash leaves the old one or the new one."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

REASONS = {
    errno.ENOENT: "no such folder",
    errno.ENOTDIR: "no such folder",
    errno.EISDIR: "a folder is there",
    errno.EROFS: "read-only",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.ENOSPC: "no space left",
    errno.EDQUOT: "no space left",
    errno.ENAMETOOLONG: "the name is too long",
}


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes beside the target and renames in one step.

    Raises OSError with the target's name and the reason in words, leaving the target as it was.
    """
    try:
        _write(Path(path).resolve(), data)
    except OSError as error:
        number = error.errno or errno.EIO
        raise OSError(number, REASONS.get(number, error.strerror or str(error)), str(path)) from None


def _write(target: Path, data: bytes) -> None:
    if target.exists() and not target.is_file():
        raise OSError(errno.EISDIR if target.is_dir() else errno.EINVAL, "expected a regular file or nothing there")
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
