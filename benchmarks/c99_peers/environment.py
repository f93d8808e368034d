"""A virtual environment with the peers, made on first use; nothing of it enters the project's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import edgepde_runtime
from _harness import say

PACKAGES = ("emx-onnx-cgen", "onnxruntime", "openvino", "numpy")
FOLDER = Path(__file__).resolve().parents[2] / ".cache" / "bench_peers"
VERSIONS = (
    "import json, importlib.metadata as m; "
    "print(json.dumps({p: m.version(p) for p in {packages} if any(d.name == p for d in m.distributions())}))"
)


def make() -> Path:
    """The environment's folder. Raises CalledProcessError where pip cannot install."""
    mark, wanted = FOLDER / "ready", "\n".join(PACKAGES)
    if not mark.exists() or mark.read_text(encoding="utf-8") != wanted:
        say(f"installing {', '.join(PACKAGES)} into {FOLDER}")
        shutil.rmtree(FOLDER, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
        pip = [str(FOLDER / "bin" / "pip"), "install", "--quiet", *PACKAGES]
        subprocess.run(pip, check=True, stdout=sys.stderr)
        mark.write_text(wanted, encoding="utf-8")
    return FOLDER


def versions() -> dict[str, str]:
    """Of the peers' packages."""
    code = VERSIONS.replace("{packages}", repr(PACKAGES))
    found = subprocess.run([str(make() / "bin" / "python"), "-c", code], check=True, capture_output=True, text=True)
    return dict(json.loads(found.stdout))


def python(script: Path, *arguments: str) -> None:
    """Run a script there; the device package is on its path, its output goes to stderr."""
    path = str(Path(edgepde_runtime.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONFAULTHANDLER": "1"}
    command = [str(make() / "bin" / "python"), str(script), *arguments]
    subprocess.run(command, check=True, env=environment, stdout=sys.stderr)


def emx(model: Path, out: Path, *arguments: str) -> None:
    """emx-onnx-cgen compile. Raises CalledProcessError with its words."""
    command = [str(make() / "bin" / "emx-onnx-cgen"), "compile", str(model), str(out), *arguments]
    subprocess.run(command, check=True, capture_output=True, text=True)
