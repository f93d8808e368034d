"""What the device needs: numpy, and nothing of the host's tools."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from support.bundles import mlp_bundle

ROOT = Path(__file__).parents[2]
FORBIDDEN = ["torch", "onnx", "onnxruntime", "scipy", "edgepde", "edgepde_export", "rich", "typer"]
USE = """
import json, sys
import numpy
import edgepde_runtime
{extra}
model = edgepde_runtime.load({bundle!r}, backend="reference")
assert numpy.isfinite(model(numpy.zeros((1, 2), numpy.float32))).all()
from edgepde_runtime.__main__ import main
assert main(["verify", {bundle!r}, "--backend", "reference", "--seconds", "0.02", "--json", {report!r}]) == 0
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}} & set({forbidden!r}))))
"""


def imported(tmp_path: Path, extra: str = "") -> list[str]:
    """Which forbidden packages a process holds after loading and verifying a bundle."""
    bundle = mlp_bundle(tmp_path / "bundle")
    names = {"bundle": str(bundle), "report": str(tmp_path / "report.json"), "forbidden": [*FORBIDDEN, "pickletools"]}
    code = USE.format(extra=extra, **names)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_runtime_imports_none_of_the_hosts_tools(tmp_path: Path) -> None:
    assert imported(tmp_path) == []


def test_that_check_can_fail(tmp_path: Path) -> None:
    assert imported(tmp_path, "import pickletools") == ["pickletools"]


def test_importing_is_light() -> None:
    code = "import sys, edgepde_runtime; print(json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", f"import json; {code}"], capture_output=True, text=True, check=True)
    assert not set(json.loads(done.stdout)) & {*FORBIDDEN, "argparse", "xml", "tomllib"}


@pytest.mark.timeout(300)
def test_the_wheel_runs_in_a_fresh_environment(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", str(ROOT / "runtime"), "--no-deps", "-w", str(wheels)], check=True)
    (wheel,) = wheels.glob("edgepde_runtime-*.whl")
    venv.create(tmp_path / "device", with_pip=False, symlinks=True)
    python = str(tmp_path / "device" / "bin" / "python")
    subprocess.run([*pip, "--python", python, "install", str(wheel)], check=True)
    bundle = mlp_bundle(tmp_path / "bundle")

    def device(*argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([python, *argv], capture_output=True, text=True, check=False, cwd=tmp_path)

    done = device("-m", "edgepde_runtime", "verify", str(bundle), "--seconds", "0.05")
    assert done.returncode == 0, done.stderr
    assert "golden u on reference" in done.stdout
    assert device("-c", "import torch").returncode != 0
    assert device("-c", "import onnxruntime").returncode != 0
    assert device("-m", "edgepde_runtime", "verify", str(bundle), "--backend", "ort").returncode == 2
