"""What lies around a model's C: make, CMake, the example, the golden test and programs of a user's own build."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from support import models
from support.kernel_libraries import needs_compiler
from support.models import nets
from support.targets import CORTEX_M7, require

USER = """
#include <stdio.h>
#include "{name}.h"
int main() {{
    {scratch};
    const float x[6] = {{0.25f, -0.5f, 1.0f, 2.0f, 0.0f, 0.0f}};
    float u[2];
    int flags[2];
    int found = mlp_f32_check(2, x, flags);
    printf("%s %d %d %d", {upper}_MODEL_HASH, found, flags[0], flags[1]);
    found = mlp_f32_run(2, x, u, memory);
    printf(" %d %d\\n", found, u[0] == u[0] && u[1] == u[1]);
    return 0;
}}
"""
IN_C = "static unsigned char memory[MLP_F32_SCRATCH_BYTES] __attribute__((aligned(64)))"
IN_CPP = "alignas(64) static unsigned char memory[MLP_F32_SCRATCH_BYTES]"
# What a make hands to those it starts: they would print where they are.
MAKE = {"MAKELEVEL", "MAKEFLAGS", "MFLAGS"}
CMAKE = """
cmake_minimum_required(VERSION 3.15)
project(firmware C)
add_subdirectory(model)
add_executable(firmware user.c)
target_link_libraries(firmware PRIVATE mlp_f32)
"""


def needed(*programs: str) -> None:
    """Goes on where all programs are here; skips otherwise, and fails where CI is."""
    for program in programs:
        needs_compiler(program)


def called(folder: Path, *words: str, status: int = 0) -> str:
    """What a command prints; fails where it ends otherwise."""
    environment = {name: value for name, value in os.environ.items() if name not in MAKE}
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == status, f"{' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def built(project: Path) -> list[Path]:
    """Files that make left behind, of all targets, by name."""
    files = (path for path in (project / "build").rglob("*") if path.is_file())
    return sorted(files, key=lambda path: path.name)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files of the MLP with the outputs of numpy in float64 as golden data."""
    model = next(model for model in models.MODELS if model.name == "mlp_f32")
    x = nets.weights((16, 3), 9, "float32", 1.0)
    return models.written(model, tmp_path / "model", {"input/x": x, "output/u": nets.mlp_reference(x)})


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_make_builds_tests_and_shows(compiler: str, project: Path) -> None:
    needed("make", compiler)
    cc = f"CC={compiler}"
    called(project, "make", cc)
    assert [path.name for path in built(project)] == ["libmlp_f32.a", "mlp_f32.o"]
    printed = called(project, "make", cc, "golden").splitlines()
    assert [line for line in printed if line.startswith("u[")] != []
    assert printed[-1] == "0 beyond the bound"
    shown = called(project, "make", cc, "example").splitlines()
    assert shown[-1] == "flags 0"
    called(project, "make", cc, "clean")
    assert built(project) == []


def test_make_golden_fails_where_an_output_is_beyond_its_bound(project: Path) -> None:
    needed("make", "cc")
    called(project, "make")
    path = project / "test_golden.c"
    text = path.read_text("utf-8")
    start = text.index("u_reference[") + len("u_reference[")
    first = text.index("{", start) + 1
    path.write_text(text[:first] + "0x1p+4," + text[text.index(",", first) + 1 :], encoding="utf-8")
    printed = called(project, "make", "golden", status=2)
    assert "1 beyond the bound" in printed


def test_the_makefile_compiles_for_a_bare_core(project: Path) -> None:
    core = CORTEX_M7[0]
    require(core)
    needed("make")
    said = next(line for line in (project / "Makefile").read_text("utf-8").splitlines() if "arm-none-eabi" in line)
    called(project, "make")
    called(project, "sh", "-c", said.removeprefix("# ").split("    ")[0])
    assert {path.name for path in (project / "build").iterdir()} > {"arm-none-eabi"}
    assert [path.name for path in built(project)] == ["libmlp_f32.a"] * 2 + ["mlp_f32.o"] * 2


def test_make_writes_nothing_into_a_bundle(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed("make", "cc")
    (project.parent / "manifest.json").write_text("{}")
    elsewhere = project.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    before = sorted(project.rglob("*"))
    assert "flags 0" in called(project, "make", "example")
    assert sorted(project.rglob("*")) == before
    assert list(elsewhere.rglob("example"))


def test_cmake_builds_the_golden_test(project: Path) -> None:
    needed("cmake", "ctest", "cc")
    called(project, "cmake", "-S", ".", "-B", "out")
    called(project, "cmake", "--build", "out")
    assert "100% tests passed, 0 tests failed out of 1" in called(project, "ctest", "--test-dir", "out")


def test_cmake_takes_the_model_as_a_part_of_a_project(project: Path) -> None:
    needed("cmake", "cc")
    root = project.parent
    (root / "CMakeLists.txt").write_text(CMAKE)
    (root / "user.c").write_text(user_text(IN_C))
    called(root, "cmake", "-S", ".", "-B", "out", "-DCMAKE_BUILD_TYPE=MinSizeRel")
    called(root, "cmake", "--build", "out")
    checked(called(root, "./out/firmware"))
    assert not (root / "out" / "model" / "test_golden").exists()


@pytest.mark.parametrize(
    ("words", "name", "scratch"),
    [
        (("gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"), "user.c", IN_C),
        (("g++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic"), "user.cpp", IN_CPP),
        (("clang", "-std=c11", "-Weverything", "-Wno-padded", "-Wno-unsafe-buffer-usage"), "user.c", IN_C),
    ],
    ids=["c", "c++", "clang"],
)
def test_a_program_includes_the_header_and_links_the_library(
    words: Sequence[str], name: str, scratch: str, project: Path
) -> None:
    needed("make", "cc", words[0])
    called(project, "make")
    (project / name).write_text(user_text(scratch))
    called(project, *words, name, str(built(project)[0]), "-o", "user")
    checked(called(project, "./user"))


def user_text(scratch: str) -> str:
    """A program that checks and runs two rows, the second outside the box."""
    return USER.format(name="mlp_f32", upper="MLP_F32", scratch=scratch)


def checked(printed: str) -> None:
    """That the program found the second row outside and both computed."""
    hash_, *numbers = printed.split()
    assert len(hash_) == 64
    assert numbers == ["1", "0", "1", "1", "1"]


def test_the_golden_data_of_the_shipped_bundle_pass(tmp_path: Path) -> None:
    needed("make", "cc")
    model = next(model for model in models.MODELS if model.name == "s2gpt_burgers")
    folder = models.written(model, tmp_path, dict(np.load(models.SOLVED / "golden.npz")))
    printed = called(folder, "make", "CFLAGS=-O1", "golden").splitlines()
    assert "flags 0" in printed
    assert printed[-1] == "0 beyond the bound"
