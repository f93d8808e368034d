"""Wheels of the runtime: Python alone without a compiler, with the library for a processor, and what they contain."""

from __future__ import annotations

import os
import platform
import site
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.kernel_libraries import needs_compiler
from support.native_ops import RUNTIME
from support.wheels import LIBRARY, MACHINES, SAMPLE, build, machine_of, names, run, scripted, sources

pytest.importorskip("build")
pytest.importorskip("scikit_build_core")
HOST = platform.machine()
KEPT = {".py", ".h", ".c", ".onnxtxt", ".typed"}
Wheels = Callable[[str], Path]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    """wheels(kind): what scripts/wheels.sh makes, each made once."""
    made: dict[str, Path] = {}

    def get(kind: str) -> Path:
        for tool in {"pure": (), "host": ("cmake", "cc"), "aarch64": ("cmake", "aarch64-linux-gnu-gcc")}[kind]:
            needs_compiler(tool)
        if kind not in made:
            made[kind] = scripted(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return get


def installed(wheel: Path, folder: Path) -> Callable[..., str]:
    """run(*arguments): Python with the wheel's package, and none that this environment holds as editable."""
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    run([*words, "--no-index", "--no-compile", "--target", folder, wheel])
    env = {"PYTHONPATH": os.pathsep.join([str(folder), *site.getsitepackages()])}

    def call(*arguments: str | Path) -> str:
        return run([sys.executable, "-S", *arguments], env=env, cwd=folder)

    found = call("-c", "import edgepde_runtime; print(edgepde_runtime.__file__)")
    assert Path(found.strip()).is_relative_to(folder)
    return call


def test_the_pure_wheel_is_built_where_there_is_no_compiler(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    env = {"PATH": str(tmp_path / "empty"), "EDGEPDE_NO_NATIVE": "1", "CC": ""}
    wheel = build(sources(tmp_path / "source"), tmp_path / "out", "--wheel", env=env)
    assert wheel.name.endswith("-py3-none-any.whl")
    assert LIBRARY not in names(wheel)


def test_the_pure_wheel_runs_the_reference(wheels: Wheels, tmp_path: Path) -> None:
    call = installed(wheels("pure"), tmp_path)
    assert "golden u on reference" in call("-m", "edgepde_runtime", "verify", SAMPLE, "--backend", "reference")
    assert call("-c", "from edgepde_runtime import native; print(native.library())").strip() == "None"


@pytest.mark.parametrize(("kind", "tag"), [("pure", "any"), ("host", f"linux_{HOST}"), ("aarch64", "linux_aarch64")])
def test_a_wheel_has_the_tag_of_what_it_holds(kind: str, tag: str, wheels: Wheels) -> None:
    wheel = wheels(kind)
    assert wheel.name.endswith(f"-py3-none-{tag}.whl")
    assert [name for name in names(wheel) if name.startswith("edgepde_runtime/_native/")] == (
        [] if kind == "pure" else [LIBRARY]
    )
    if kind != "pure":
        assert machine_of(wheel) == MACHINES[HOST if kind == "host" else kind]


def test_all_wheels_hold_the_same_sources(wheels: Wheels) -> None:
    pure = names(wheels("pure"))
    for kind in ("host", "aarch64"):
        assert names(wheels(kind)) - {LIBRARY} == pure
    assert all(name.startswith("edgepde_runtime/") for name in pure)
    package = RUNTIME / "edgepde_runtime"
    expected = {p.relative_to(RUNTIME).as_posix() for p in package.rglob("*") if p.suffix in KEPT}
    assert {name for name in pure if Path(name).suffix in KEPT} == expected
    assert {"edgepde_runtime/kernels/lanes.h", "edgepde_runtime/ops/gauss_newton_solve/body.onnxtxt"} <= pure


def test_the_host_wheels_library_loads_in_onnxruntime(wheels: Wheels, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    call = installed(wheels("host"), tmp_path)
    assert call("-c", "from edgepde_runtime.backends import ort; print(ort.kernels()[0])").strip() == "True"


def test_a_compiler_that_fails_leaves_a_pure_wheel_unless_the_library_is_required(tmp_path: Path) -> None:
    needs_compiler("cmake")
    source, broken = sources(tmp_path / "source"), {"CC": "/bin/false"}
    assert build(source, tmp_path / "out", "--wheel", env=broken).name.endswith("-py3-none-any.whl")
    with pytest.raises(AssertionError, match="CMake configuration failed"):
        build(source, tmp_path / "none", "--wheel", env=broken | {"EDGEPDE_REQUIRE_NATIVE": "1"})


def test_the_source_archive_is_complete_and_has_no_library(tmp_path: Path) -> None:
    source = sources(tmp_path / "source")
    (source / "edgepde_runtime" / "_native").mkdir()
    (source / LIBRARY).write_bytes(b"left behind")
    with tarfile.open(build(source, tmp_path / "out", "--sdist")) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    kept = {p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file()} - {LIBRARY}
    assert kept - inside == set()
    assert LIBRARY not in inside


def test_an_editable_installation_has_the_library_beside_its_sources(tmp_path: Path) -> None:
    for tool in ("cmake", "cc"):
        needs_compiler(tool)
    source, out = sources(tmp_path / "source"), tmp_path / "out"
    out.mkdir()
    code = f"from scikit_build_core.build import build_editable; build_editable({str(out)!r})"
    run([sys.executable, "-c", code], cwd=source)
    assert (source / LIBRARY).read_bytes()[:4] == b"\x7fELF"
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (text,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith(".pth"))
    assert str(source) in text.splitlines()
