"""Native code and sources that lie in a bundle are bytes to be counted, never run."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime import load
from edgepde_runtime.__main__ import main
from support.bundles import mlp_bundle

EVIL_C = """
#include <stdio.h>
__attribute__((constructor)) static void evil(void) {{
    FILE *f = fopen("{mark}", "w");
    if (f) fclose(f);
}}
"""


def evil_library(folder: Path, mark: Path) -> bytes:
    """A shared library that writes `mark` as soon as it is loaded."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler to make the library with")
    source = folder / "evil.c"
    source.write_text(EVIL_C.format(mark=mark))
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(folder / "evil.so"), str(source)], check=True)
    return (folder / "evil.so").read_bytes()


def test_nothing_in_lib_or_c99_is_loaded(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    library = evil_library(tmp_path, mark)
    python = f"open({str(mark)!r}, 'w')".encode()
    extra = {
        "lib/x86_64-linux-gnu/model.so": library,
        "c99/model.c": b"#error compiled\n",
        "c99/Makefile": f"all:\n\ttouch {mark}\n".encode(),
        "__init__.py": python,
        "sitecustomize.py": python,
        "numpy.py": python,
    }
    bundle = mlp_bundle(tmp_path / "b", extra=extra)
    for backend in ("auto", "reference"):
        assert load(bundle, backend)(np.zeros((1, 2), np.float32)).shape == (1, 1)
        assert main(["verify", str(bundle), "--backend", backend, "--seconds", "0.02"]) == 0
    command = [sys.executable, "-m", "edgepde_runtime", "inspect", str(bundle)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert not mark.exists()
    # The library does what it is made for, so that the test above can fail.
    ctypes.CDLL(str(bundle / "lib/x86_64-linux-gnu/model.so"))
    assert mark.exists()
