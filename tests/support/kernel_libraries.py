"""Kernels compiled for this machine's processor into something Python can call."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import edgepde_runtime
import pytest
from edgepde_runtime.compiler import find

PACKAGE = Path(str(resources.files(edgepde_runtime)))
X86 = platform.machine() in ("x86_64", "AMD64")
ISAS: dict[str, tuple[str, ...]] = {
    "soft": ("-DEDGEPDE_SOFT",),
    "scalar": (*(("-mfma",) if X86 else ()), "-DEDGEPDE_SCALAR"),
    "avx2": ("-mavx2", "-mfma"),
    "avx512": ("-mavx512f", "-mavx512dq", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"),
}
_NEEDED = {
    "soft": (),
    "scalar": ("fma",),
    "avx2": ("avx2", "fma"),
    "avx512": ("avx512f", "avx512dq", "avx512vl", "fma"),
}
# Where CI is, the test runs and fails without one.
needs_cc = pytest.mark.skipif(find() is None and os.environ.get("CI") != "true", reason="no C compiler")
STRICT = ("-std=c99", "-O3", "-Wall", "-Wextra", "-Werror", "-pedantic")
NUMERICS = ("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")


def needs_compiler(compiler: str) -> None:
    """Skips where the compiler is missing; fails where CI is."""
    if shutil.which(compiler) is None:
        message = f"{compiler} is not installed; see scripts/system.sh"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


def needs_processor(isa: str) -> None:
    """Skips where this processor cannot run that build."""
    wanted = _NEEDED[isa] if X86 else ()
    if not X86 and isa.startswith("avx"):
        pytest.skip(f"{isa}: this processor is {platform.machine()}, not x86-64")
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    flags = next((set(line.split()) for line in lines if line.startswith("flags")), set())
    missing = sorted(set(wanted) - flags)
    if missing:
        pytest.skip(f"{isa}: this processor has no {', '.join(missing)}")


def compile_shared(
    compiler: str, isa: str, source: Path, folder: Path, *, shared: bool = True, extra: Sequence[str] = ()
) -> Path:
    """A shared library (or a program) of one source in `folder`; AssertionError with what the compiler said."""
    made = folder / (f"{source.stem}.so" if shared else source.stem)
    rooms = sorted({header.parent for header in PACKAGE.glob("ops/*/*.h")})
    words = [compiler, *STRICT, *NUMERICS, *ISAS[isa], *extra, *(("-fPIC", "-shared") if shared else ())]
    words += [f"-I{folder}" for folder in (PACKAGE / "kernels", *rooms)]
    done = subprocess.run([*words, str(source), "-o", str(made)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stderr}"
    return made
