"""One way to compile a C99 program and run it: a compiler, its flags, the processor or emulator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent / "c"
# What every kernel must compile with; -fno-math-errno keeps fma and sqrt instructions from becoming calls.
CONTRACT = (
    *("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"),
    *("-ffp-contract=off", "-fno-math-errno"),
)


@dataclass(frozen=True)
class Target:
    """How to compile for one processor with one compiler, and how to run what comes out.

    runner: what stands before the program's path, empty for this machine's processor. helpers: arithmetic functions of
    the compiler that an object may call. needs: programs, files and Python packages ("python:ziglang"). processor:
    flags of /proc/cpuinfo. link: flags and sources added when linking. patience: seconds a program may take.
    """

    name: str
    compiler: tuple[str, ...]
    flags: tuple[str, ...] = ()
    runner: tuple[str, ...] = ()
    optimise: str = "-O3"
    helpers: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    processor: frozenset[str] = frozenset()
    link: tuple[str, ...] = ()
    patience: float = 60.0

    def __str__(self) -> str:
        return self.name

    @property
    def native(self) -> bool:
        """Whether its programs run on an x86-64 processor without an emulator."""
        return not self.runner


@dataclass(frozen=True)
class Program:
    """A compiled program; objects: one per source, in order, without the start-up code of a bare target."""

    target: Target
    path: Path
    objects: tuple[Path, ...]
