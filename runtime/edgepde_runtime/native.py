"""The library of kernels that onnxruntime can load, where one was built with this package."""

from __future__ import annotations

import ctypes
from importlib import resources
from pathlib import Path

FOLDER = "_native"
NOT_BUILT = "not part of this installation; reinstall edgepde-runtime where there is a C compiler"


def library() -> Path | None:
    """The library's file, None where this installation has none."""
    folder = Path(str(resources.files(__package__))) / FOLDER
    found = sorted(folder.glob("*edgepde_ops.*")) if folder.is_dir() else []
    return found[0] if found else None


def isa(path: Path) -> str:
    """The instruction set its kernels use on this processor; OSError where it cannot be loaded."""
    call = ctypes.CDLL(str(path)).edgepde_ops_isa
    call.restype = ctypes.c_char_p
    return str(call().decode("ascii"))
