"""Wheels of the runtime, built for a test from a copy of its sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.native_ops import ROOT, RUNTIME

SAMPLE = ROOT / "samples" / "s2gpt_burgers" / "bundle"
PARTS = ("pyproject.toml", "CMakeLists.txt", "README.md", "LICENSE", ".gitignore", "native", "edgepde_runtime")
LIBRARY = "edgepde_runtime/_native/libedgepde_ops.so"
MACHINES = {"x86_64": 62, "aarch64": 183}


def run(words: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """What a command prints; AssertionError with everything it said where it fails."""
    text = [str(word) for word in words]
    done = subprocess.run(text, capture_output=True, text=True, check=False, cwd=cwd, env=os.environ | dict(env or {}))
    assert done.returncode == 0, f"{' '.join(text)}\n{done.stdout}{done.stderr}"
    return done.stdout


def scripted(kind: str, folder: Path) -> Path:
    """The wheel of one kind from scripts/wheels.sh."""
    run(["bash", ROOT / "scripts" / "wheels.sh", folder, kind], env={"PYTHON": sys.executable})
    (wheel,) = folder.glob("*.whl")
    return wheel


def sources(folder: Path) -> Path:
    """A copy of the runtime's sources, with nothing that an editable installation left behind."""
    folder.mkdir()
    for part in PARTS:
        path = RUNTIME / part
        if path.is_dir():
            shutil.copytree(path, folder / part, ignore=shutil.ignore_patterns("_native", "__pycache__"))
        else:
            shutil.copy(path, folder / part)
    return folder


def build(source: Path, out: Path, *options: str, env: Mapping[str, str] | None = None) -> Path:
    """What `python -m build` makes of a source folder; AssertionError where it fails."""
    run([sys.executable, "-m", "build", "--no-isolation", *options, "--outdir", out, source], env=env)
    (made,) = out.iterdir()
    return made


def names(wheel: Path) -> set[str]:
    """The files of a wheel without its .dist-info folder."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def machine_of(wheel: Path) -> int:
    """The processor, as ELF numbers them, that the wheel's library is for."""
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(LIBRARY)
    assert data[:4] == b"\x7fELF"
    return int.from_bytes(data[18:20], "little")
