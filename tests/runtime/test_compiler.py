"""Finding a C compiler, running it, and the library it makes of c99/."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from edgepde_runtime import compiler, library
from edgepde_runtime.errors import BackendError, CompilerError, InputError
from support import c99
from support.kernel_libraries import needs_cc


def command(folder: Path, name: str, text: str) -> Path:
    """An executable script."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """The folder c99/ of a toy model."""
    return c99.solver_bundle(tmp_path / "b") / "c99"


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with one empty folder on it, no CC, no ziglang."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compiler, "has_zig", lambda: False)
    return folder


def test_nothing_found_says_what_to_do(alone: Path) -> None:
    assert compiler.find() is None
    with pytest.raises(CompilerError, match="install gcc or clang, set CC, or take another --backend"):
        compiler.required()
    assert issubclass(CompilerError, BackendError)
    assert alone.is_dir()


def test_the_order_is_cc_then_cc_gcc_clang_then_zig(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "has_zig", lambda: True)
    found = compiler.find()
    assert found is not None
    assert found.argv[1:4] == ("-m", "ziglang", "cc")
    assert "-mcpu=baseline" in found.argv
    assert found.words.startswith("python -m ziglang cc -target ")
    for name in ("clang", "gcc", "cc"):
        command(alone, name, "exit 0")
        assert compiler.required().argv == (name,)
    monkeypatch.setenv("CC", f"{alone / 'clang'} -m64 'with space'")
    assert compiler.required().argv == (str(alone / "clang"), "-m64", "with space")


@pytest.mark.parametrize(("value", "message"), [("no-such-cc", "there is no such compiler"), ("gcc '", "quotation")])
def test_a_wrong_cc_is_named(value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", value)
    with pytest.raises(CompilerError, match=rf"CC=.*{message}"):
        compiler.find()


def test_identity_changes_with_the_file_and_the_arguments(alone: Path) -> None:
    path = command(alone, "cc", "exit 0")
    one = compiler.Compiler(("cc",), "x86_64-linux-gnu")
    identities = {one.identity, compiler.Compiler(("cc", "-m64"), "x86_64-linux-gnu").identity}
    identities.add(compiler.Compiler(("cc",), "aarch64-linux-gnu").identity)
    path.write_text("#!/bin/sh\nexit 0 # newer\n")
    assert len(identities | {one.identity}) == 4
    assert one.identity == one.identity


def test_an_error_is_its_first_line(tmp_path: Path) -> None:
    told = command(tmp_path, "cc", "echo 'In file x.h:' >&2; echo 'x.c:3:1: error: no' >&2; echo later >&2; exit 1")
    with pytest.raises(CompilerError, match=r"cc: x\.c:3:1: error: no$"):
        compiler.execute([str(told)], tmp_path)
    with pytest.raises(CompilerError, match="exit status 7"):
        compiler.execute([str(command(tmp_path, "cc", "exit 7"))], tmp_path)
    (tmp_path / "data").write_text("no program")
    with pytest.raises(CompilerError, match=r"cannot be run: (Permission denied|Exec format)"):
        compiler.execute([str(tmp_path / "data")], tmp_path)


def test_a_compiler_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    slow = command(tmp_path, "cc", f"sh -c 'echo $$ > {tmp_path}/child; exec sleep 60' & wait")
    began = time.monotonic()
    with pytest.raises(CompilerError, match=r"not finished after 0\.5 s"):
        compiler.execute([str(slow)], tmp_path, 0.5)
    assert time.monotonic() - began < 20
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the compiler's child still runs")


@pytest.mark.parametrize("triple", ["-o/tmp/x", "x86", "a b-c", "../../etc-x", "", "a-b-c-d-e", "aarch64-linux-gnu\n"])
def test_what_is_no_triple_is_refused(triple: str) -> None:
    with pytest.raises(InputError, match="--cc: expected a triple"):
        compiler.for_target(triple)


def test_a_missing_cross_compiler_says_what_to_install(alone: Path) -> None:
    with pytest.raises(CompilerError, match=r"no C compiler for riscv64-linux-gnu: .* ziglang from pip"):
        compiler.for_target("riscv64-linux-gnu")
    with pytest.raises(CompilerError, match=r"expected arm-none-eabi-gcc; install gcc-arm-none-eabi"):
        compiler.for_target("thumbv7em-none-eabihf")
    assert alone.is_dir()


def test_zig_is_taken_for_other_machines(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "has_zig", lambda: True)
    command(alone, "riscv64-linux-gnu-gcc", "exit 0")
    found = compiler.for_target("riscv64-linux-gnu")
    assert found.argv == (sys.executable, "-m", "ziglang", "cc", "-target", "riscv64-linux-gnu")
    monkeypatch.setattr(compiler, "has_zig", lambda: False)
    assert compiler.for_target("riscv64-linux-gnu").argv == ("riscv64-linux-gnu-gcc",)


@needs_cc
def test_the_host_library_has_every_instruction_set(sources: Path, tmp_path: Path) -> None:
    built = library.build(sources, tmp_path / "toy.so")
    x86 = compiler.host_triple().startswith("x86_64")
    assert built.isas == (("scalar", "avx2", "avx512") if x86 else ("scalar",))
    assert stat.S_IMODE((tmp_path / "toy.so").stat().st_mode) == 0o755
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "toy.so"]


@needs_cc
def test_a_compiler_without_the_flags_builds_one_set(sources: Path, tmp_path: Path) -> None:
    real = shutil.which("cc") or shutil.which("gcc")
    refuses = 'for a in "$@"; do case "$a" in -mavx512*) echo "error: unknown $a" >&2; exit 1;; esac; done; '
    own = command(tmp_path / "bin", "cc", f'{refuses} exec {real} "$@"')
    old = os.environ.get("CC")
    os.environ["CC"] = str(own)
    try:
        assert library.build(sources, tmp_path / "toy.so").isas == ("scalar",)
    finally:
        del os.environ["CC"]
        if old is not None:
            os.environ["CC"] = old


@needs_cc
@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("toy.c", b"int x = ;\n", r"toy\.c:1:\d+: error"),
        ("dispatch.c", None, r"c99/dispatch\.c is missing"),
        ("toy.c", None, r"c99/toy\.c is missing"),
        ("toy.h", None, r"expected one header, <name>\.h, got none"),
        ("two.h", b"", r"expected one header, <name>\.h, got toy, two"),
    ],
)
def test_broken_sources_are_named_and_leave_nothing(
    name: str, text: bytes | None, message: str, sources: Path, tmp_path: Path
) -> None:
    (sources / name).unlink(missing_ok=True)
    if text is not None:
        (sources / name).write_bytes(text)
    (tmp_path / "toy.so").write_bytes(b"old")
    with pytest.raises(CompilerError, match=message):
        library.build(sources, tmp_path / "toy.so")
    assert (tmp_path / "toy.so").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "toy.so"]


@needs_cc
@pytest.mark.parametrize("function", ["fma", "fmaf"])
def test_an_fma_of_a_library_is_refused(function: str, sources: Path, tmp_path: Path) -> None:
    kind = "double" if function == "fma" else "float"
    with (sources / "toy.c").open("a") as file:
        file.write(f"extern {kind} {function}({kind}, {kind}, {kind});\n")
        file.write(f"{kind} leak(volatile {kind} *x) {{ {kind} (*volatile f)({kind}, {kind}, {kind}) = {function};")
        file.write(" return f(x[0], x[1], x[2]); }\n")
    with pytest.raises(CompilerError, match=rf"toy\.c calls {function} of a library"):
        library.build(sources, tmp_path / "toy.so")


@needs_cc
@pytest.mark.parametrize(("function", "kind"), [("fma", "double"), ("fmaf", "float"), ("fmal", "long double")])
def test_an_fma_the_processor_lacks_is_refused_where_it_is_compiled(function: str, kind: str, tmp_path: Path) -> None:
    compiled = compiler.required()
    if not compiled.triple.startswith("x86_64"):
        pytest.skip("other processors have the instruction")
    (tmp_path / "toy.c").write_text(
        f"{kind} f({kind} a, {kind} b, {kind} c) {{ return __builtin_{function}(a, b, c); }}\n"
    )
    with pytest.raises(CompilerError, match=rf"toy\.c calls {function} of a library; expected the kernels' own"):
        library.compile_object(compiled, tmp_path, tmp_path / "toy.o", "toy.c", library.HOSTED)
    if function != "fmal":
        flags = (*library.HOSTED, *library.ISAS["avx2"])
        assert library.compile_object(compiled, tmp_path, tmp_path / "toy.o", "toy.c", flags).is_file()


@pytest.mark.parametrize("triple", ["aarch64-linux-gnu", "arm-linux-gnueabihf", "riscv64-linux-gnu"])
def test_cross_compilation(triple: str, sources: Path, tmp_path: Path) -> None:
    if shutil.which(f"{triple}-gcc") is None:
        pytest.skip(f"no {triple}-gcc")
    built = library.build(sources, tmp_path / library.file_name("toy", triple), triple)
    assert built.path.name == "libtoy.so"
    machine = int.from_bytes(built.path.read_bytes()[18:20], "little")
    assert machine == {"aarch64-linux-gnu": 183, "arm-linux-gnueabihf": 40, "riscv64-linux-gnu": 243}[triple]


@pytest.mark.parametrize("triple", sorted(compiler.BARE_METAL))
def test_bare_metal_is_an_archive_of_the_model_alone(triple: str, sources: Path, tmp_path: Path) -> None:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("no arm-none-eabi-gcc")
    (sources / "dispatch.c").unlink()
    built = library.build(sources, tmp_path / library.file_name("toy", triple), triple)
    told = subprocess.run(["arm-none-eabi-nm", built.path], capture_output=True, text=True, check=True).stdout
    assert "T toy_run\n" in told
    assert "edgepde_model_call" not in told
