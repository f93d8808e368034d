"""The library of kernels for onnxruntime, built for a test; where the oldest supported onnxruntime comes from."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.kernel_libraries import needs_compiler

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "runtime"
CACHE = ROOT / ".cache"
ASKED = "EDGEPDE_TEST_OLDEST_ONNXRUNTIME"


def build_library(folder: Path, *options: str, compiler: str = "cc") -> Path:
    """The library in `folder`, warnings being errors; skips without cmake or a compiler, fails without them in CI."""
    needs_compiler("cmake")
    needs_compiler(compiler)
    words = ["cmake", "-S", str(RUNTIME), "-B", str(folder), "-DEDGEPDE_STRICT=ON", f"-DCMAKE_C_COMPILER={compiler}"]
    for command in ([*words, *options], ["cmake", "--build", str(folder), "--parallel", "2"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return next(folder.glob("libedgepde_ops.*"))


def shared_library(factory: pytest.TempPathFactory, name: str, *options: str) -> Path:
    """The library, built once for all workers of a run; skips and fails as `build_library` does."""
    root = factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    with open(root / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = root / f"{name}.done"
        if not done.exists():
            (folder := root / name).mkdir(exist_ok=True)
            done.write_text(str(build_library(folder, *options)), "utf-8")
        return Path(done.read_text("utf-8"))


def oldest_version() -> str:
    """The oldest onnxruntime that the package declares to work with, as in 1.20."""
    found = re.search(r'"onnxruntime>=([\d.]+)"', (RUNTIME / "pyproject.toml").read_text("utf-8"))
    assert found
    return found[1]


def oldest_onnxruntime() -> Path:
    """A folder to put on PYTHONPATH that holds it, fetched once; skips outside CI unless the environment asks."""
    version = oldest_version()
    if os.environ.get("CI") != "true" and not os.environ.get(ASKED):
        pytest.skip(f"onnxruntime {version} is fetched only where CI=true or {ASKED} is set")
    folder = CACHE / f"onnxruntime-{version}-{sys.implementation.cache_tag}"
    if not folder.is_dir():
        part = folder.with_suffix(f".{os.getpid()}")
        words = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        words += ["--only-binary=:all:", "--target", str(part), f"onnxruntime=={version}.*"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        try:
            part.rename(folder)
        except OSError:
            shutil.rmtree(part)
    return folder
