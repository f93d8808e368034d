"""Which C compiler there is, and running it; standard library only."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from .errors import CompilerError, InputError

NO_COMPILER = "no C compiler found; install gcc or clang, set CC, or take another --backend"
SECONDS = 300.0
_NAMES = ("cc", "gcc", "clang")
_TRIPLE = re.compile(r"[A-Za-z0-9_]+(-[A-Za-z0-9_]+){1,3}", re.ASCII)
_SHOWN = 300
# What a processor without an operating system is compiled for: no shared library, no dispatch.
_HARD_FLOAT = ("-mthumb", "-mfloat-abi=hard", "-ffreestanding")
BARE_METAL = {
    "arm-none-eabi": ("-mcpu=cortex-m7", "-mfpu=fpv5-sp-d16", *_HARD_FLOAT),
    "thumbv7em-none-eabihf": ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", *_HARD_FLOAT),
}


@final
@dataclass(frozen=True)
class Compiler:
    """A command that compiles C for `triple`; tools: the prefix of its ar and nm."""

    argv: tuple[str, ...]
    triple: str
    tools: str = ""

    @property
    def words(self) -> str:
        """The command as typed."""
        return shlex.join(("python", *self.argv[1:]) if self.is_zig else self.argv)

    @property
    def is_zig(self) -> bool:
        """Whether it is the package ziglang."""
        return self.argv[1:3] == ("-m", "ziglang")

    @property
    def identity(self) -> str:
        """Sixteen hex digits that change with the compiler's file, its arguments or its target."""
        found = shutil.which(self.argv[0])
        facts: list[object] = [self.argv, self.triple]
        if found:
            status = os.stat(found)
            facts += [os.path.realpath(found), status.st_size, status.st_mtime_ns]
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    @property
    def version(self) -> str:
        """The first line of --version; raises CompilerError where it does not run."""
        return next(iter(self.run(["--version"], Path.cwd(), 60.0).splitlines()), "")

    def run(self, arguments: Sequence[str], folder: Path, seconds: float = SECONDS) -> str:
        """Runs it in `folder` and returns standard output; raises CompilerError with its first error line."""
        return execute([*self.argv, *arguments], folder, seconds)

    def accepts(self, flags: Sequence[str], folder: Path) -> bool:
        """Whether an empty file compiles with `flags`; `folder` is for files that are removed again."""
        source, made = folder / "accepts.c", folder / "accepts.o"
        source.write_text("int edgepde_accepts;\n")
        try:
            self.run(["-std=c99", "-Werror", *flags, "-c", str(source), "-o", str(made)], folder)
        except CompilerError:
            return False
        finally:
            source.unlink()
            made.unlink(missing_ok=True)
        return True


def host_triple() -> str:
    """What this process is: e.g. x86_64-linux-gnu, arm-linux-gnueabihf, aarch64-linux-musl."""
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    if struct.calcsize("P") == 4:
        machine = {"x86_64": "i386", "aarch64": "arm"}.get(machine, machine)
    system = platform.system().lower()
    if system != "linux":
        return {"darwin": f"{machine}-macos", "windows": f"{machine}-windows-gnu"}.get(system, f"{machine}-{system}")
    libc = "gnu" if platform.libc_ver()[0] == "glibc" else "musl"
    return f"arm-linux-{libc}eabihf" if machine.startswith("arm") else f"{machine}-linux-{libc}"


def check_triple(triple: str) -> str:
    """The triple; raises InputError where it is none."""
    if not _TRIPLE.fullmatch(triple):
        raise InputError(f"--cc: expected a triple such as aarch64-linux-gnu or arm-none-eabi, got {triple!a}")
    return triple


def find() -> Compiler | None:
    """The compiler for this machine: $CC, cc, gcc, clang, then the package ziglang; None where there is none.

    Raises CompilerError for a $CC that is not there.
    """
    triple = host_triple()
    asked = os.environ.get("CC", "").strip()
    if asked:
        try:
            argv = tuple(shlex.split(asked))
        except ValueError as error:
            raise CompilerError(f"CC={asked!a}: expected a command, got {error}") from None
        if shutil.which(argv[0]) is None:
            raise CompilerError(f"CC={asked!a}: there is no such compiler")
        return Compiler(argv, triple)
    for name in _NAMES:
        if shutil.which(name) is not None:
            return Compiler((name,), triple)
    return Compiler((*_zig(triple), "-mcpu=baseline"), triple) if has_zig() else None


def required() -> Compiler:
    """As `find`; raises CompilerError that says what to do where there is none."""
    compiler = find()
    if compiler is None:
        raise CompilerError(NO_COMPILER)
    return compiler


def for_target(triple: str) -> Compiler:
    """The compiler for another machine: the package ziglang, else TRIPLE-gcc; this machine's own for its own triple.

    Raises InputError for what is no triple, CompilerError naming what to install.
    """
    check_triple(triple)
    if triple in BARE_METAL:
        return _prefixed("arm-none-eabi", triple, "gcc-arm-none-eabi")
    if triple == host_triple() and (own := find()) is not None:
        return own
    if has_zig():
        return Compiler(_zig(triple), triple)
    return _prefixed(triple, triple, f"ziglang from pip, or gcc-{triple.replace('_', '-')}")


def has_zig() -> bool:
    """Whether the package ziglang is installed; it is not imported."""
    return importlib.util.find_spec("ziglang") is not None


def _zig(triple: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "ziglang", "cc", "-target", triple)


def _prefixed(prefix: str, triple: str, package: str) -> Compiler:
    if shutil.which(f"{prefix}-gcc") is None:
        raise CompilerError(f"no C compiler for {triple}: expected {prefix}-gcc; install {package}")
    return Compiler((f"{prefix}-gcc",), triple, f"{prefix}-")


def execute(argv: Sequence[str], folder: Path, seconds: float = SECONDS) -> str:
    """Standard output of a tool run in `folder`, which with all it started ends after `seconds`.

    Raises CompilerError with the first line of standard error that tells of an error.
    """
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise CompilerError(f"{argv[0]}: cannot be run: {error.strerror or error}") from None
    try:
        out, told = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        raise CompilerError(f"{argv[0]}: not finished after {seconds:g} s") from None
    except BaseException:
        _end(process)
        raise
    if process.returncode != 0:
        line = _first_error(told.decode(errors="replace")) or f"exit status {process.returncode}"
        raise CompilerError(f"{argv[0]}: {line}")
    return out.decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process with everything it started: a compiler's driver has children that do the work."""
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.communicate()


def _first_error(told: str) -> str:
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    found = next((line for line in lines if "error" in line.lower()), lines[0] if lines else "")
    return found[:_SHOWN]
