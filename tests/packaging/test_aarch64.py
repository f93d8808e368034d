"""The wheel for 64-bit ARM on an ARM Python under an emulator: installed, verified, and with this machine's bits."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime.ops.gauss_newton_solve import OP
from edgepde_runtime.rooms import Room
from support.gauss_newton_kernel import build_kernel
from support.kernel_libraries import needs_compiler
from support.native_ops import CACHE, ROOT, oldest_version
from support.rooms import case_model, cases_of
from support.wheels import SAMPLE, run, scripted

pytest.importorskip("build")
pytest.importorskip("scikit_build_core")
EMULATOR = "qemu-aarch64-static"
ROOM = Room(OP.name)
ASKED = """
import platform, onnxruntime
from edgepde_runtime.backends import ort
print(platform.machine(), onnxruntime.__version__, ort.kernels()[1])
"""
SOLVE = """
import sys
from pathlib import Path
import numpy as np, onnxruntime
from edgepde_runtime import native
folder = Path(sys.argv[1])
options = onnxruntime.SessionOptions()
options.register_custom_ops_library(str(native.library()))
for path in sorted(folder.glob("*.onnx")):
    session = onnxruntime.InferenceSession(path.read_bytes(), options)
    with np.load(path.with_suffix(".npz")) as given:
        solution, converged = session.run(None, dict(given))
    np.savez(path.with_suffix(".out.npz"), solution=solution, converged=converged)
"""


@pytest.fixture(scope="module")
def arm() -> Path:
    """The ARM Python's folder; skips with the reason where it cannot be had, fails in CI."""
    for tool in (EMULATOR, "aarch64-linux-gnu-gcc", "cmake", "dpkg-deb", "apt-get"):
        needs_compiler(tool)
    folder = CACHE / "aarch64-python"
    words = ["bash", str(ROOT / "scripts" / "aarch64_python.sh"), str(folder)]
    env = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    if done.returncode != 0:
        message = f"scripts/aarch64_python.sh: {done.stderr.strip()[-500:]}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="module")
def python(arm: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], dict[str, str]]:
    """Command and environment of the ARM Python with the wheel installed by its own pip."""
    wheel = scripted("aarch64", tmp_path_factory.mktemp("wheel"))
    site = tmp_path_factory.mktemp("site")
    words = [EMULATOR, "-L", str(arm / "root"), str(arm / "root" / "usr" / "bin" / "python-aarch64")]
    (pip,) = (arm / "wheels").glob("pip-*.whl")
    quiet = ("--quiet", "--disable-pip-version-check", "--no-compile", "--root-user-action=ignore")
    links = ("--no-index", "--find-links", arm / "wheels")
    run([*words, pip / "pip", "install", *quiet, *links, "--target", site, wheel], env={"PYTHONPATH": ""})
    return words, {"PYTHONPATH": os.pathsep.join([str(site), str(arm / "site")])}


def test_the_wheel_verifies_a_shipped_bundle(python: tuple[list[str], dict[str, str]]) -> None:
    words, env = python
    machine, version, isa = run([*words, "-c", ASKED], env=env).split()
    assert machine == "aarch64"
    assert version.startswith(oldest_version())
    assert isa == "neon"
    verdict = json.loads(run([*words, "-m", "edgepde_runtime", "verify", SAMPLE, "--json", "-"], env=env))
    assert verdict["verdict"] == "pass"
    assert verdict["exit_code"] == 0


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="compares with an x86-64 build")
def test_onnxruntime_on_arm_gives_the_bits_of_this_machines_kernel(
    python: tuple[list[str], dict[str, str]], tmp_path: Path
) -> None:
    words, env = python
    kernel = build_kernel("gcc", "scalar", tmp_path)
    cases = {case[0]: case for case in cases_of(ROOM)}
    for name, case in cases.items():
        encoded, given = case_model(ROOM, case)
        (tmp_path / f"{name}.onnx").write_bytes(encoded)
        np.savez(tmp_path / f"{name}.npz", **given)
    run([*words, "-c", SOLVE, tmp_path], env=env)
    for name, (_, inputs, attributes) in cases.items():
        stop = float(np.float32(attributes["tolerance"])) if "tolerance" in attributes else 1e-9
        solution, converged = kernel.run(inputs, **(attributes | {"tolerance": stop}))
        with np.load(tmp_path / f"{name}.out.npz") as found:
            np.testing.assert_array_equal(found["converged"], converged, err_msg=name)
            missing = np.isnan(solution)
            assert (np.isnan(found["solution"]) == missing).all(), name
            assert found["solution"][~missing].tobytes() == solution[~missing].tobytes(), name
