"""Compiling C99 programs for every target and running them, so that bits can be compared.

    from support.targets import IDENTITY, available, build, lines, run

    for target in IDENTITY:
        if available(target) is None:
            program = build(target, [Path("model.c"), Path("main.c")], folder / target.name, includes=[Path("kernels")])
            assert lines(run(program)) == lines(expected)

A test takes the fixture `target` instead: it is each target in turn, skipped where it cannot run, and has passed the
self-test of its fused multiply-add.

    from support.targets.fixtures import target  # noqa: F401

A test program includes "edgepde_hash.h" and "edgepde_print.h" and prints a line "<name> <hash>" per quantity; it has
main and needs no stdio. Objects of the program under test keep their promises or not:

    from support.targets.promises import assert_promises

    assert_promises(build_objects(target, [Path("model.c")], folder), target)
"""

from support.targets.build import BuildFailed, RunFailed, build, build_objects, kernel_folders, run
from support.targets.present import available, require
from support.targets.programs import differing, lines
from support.targets.table import ALL, CLANG_NEON, CORTEX_M7, CORTEX_M55, GCC_X86, IDENTITY, KINDS, RISCV, ZIG
from support.targets.target import CONTRACT, HERE, Program, Target

__all__ = [
    "ALL",
    "CLANG_NEON",
    "CONTRACT",
    "CORTEX_M7",
    "CORTEX_M55",
    "GCC_X86",
    "HERE",
    "IDENTITY",
    "KINDS",
    "RISCV",
    "ZIG",
    "BuildFailed",
    "Program",
    "RunFailed",
    "Target",
    "available",
    "build",
    "build_objects",
    "differing",
    "kernel_folders",
    "lines",
    "require",
    "run",
]
