"""Reports on real objects: agreement with binutils, stack of known programs, stack as painted memory shows it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from edgepde_runtime import footprint
from edgepde_runtime.stack import CLANG_FLAGS, GCC_FLAGS, worst_stack
from support.targets import CORTEX_M7, GCC_X86, HERE, KINDS, Target, build, build_objects, lines, require, run
from support.targets.programs import programs

LANES = next(source for source in programs() if source.name == "lanes")
FRAMES = """
#include <stddef.h>
int top(int n);
int recursive(int n);
int pointer(int (*f)(int));
static __attribute__((noinline)) int leaf(int n) { volatile char b[1000]; b[n] = 1; return b[0] + n; }
static __attribute__((noinline)) int middle(int n) { volatile char b[500]; b[n] = 1; return leaf(n) + b[2]; }
static __attribute__((noinline)) int side(int n) { volatile char b[600]; b[n] = 1; return b[1]; }
int top(int n) { return side(n) + middle(n); }
int recursive(int n) { return n < 2 ? 1 : recursive(n - 1) * recursive(n - 2) + 1; }
int pointer(int (*f)(int)) { return f(3) + 1; }
"""
HELPERS = """
#include <string.h>
void measured(void);
static volatile double a = 3.0, b = 7.0;
static volatile long long whole = 5;
static volatile int quotient;
static char from[999], to[999];
static __attribute__((noinline)) int frame(void) {
    volatile char filled[700];
    for (int i = 0; i < 700; i++) filled[i] = (char)i;
    return filled[quotient & 7];
}
void measured(void) {
    volatile double sum = a + b, product = a * b, ratio = a / b;
    whole = whole / 3 + (long long)product;
    quotient = sum < ratio ? 1 : (int)ratio;
    a = (double)whole;
    memcpy(to, from, (size_t)(quotient + 900));
    memmove(to + quotient, to + 3, 900);
    memset(from, quotient, (size_t)(quotient + 900));
    FRAME
}
"""


def flags(target: Target) -> tuple[str, ...]:
    """What makes the target's compiler report stack."""
    return CLANG_FLAGS if target.compiler[0] == "clang" else GCC_FLAGS


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_symbols_and_sizes_agree_with_binutils(kind: Target, tmp_path: Path) -> None:
    require(kind)
    tools = kind.compiler[0].removesuffix("gcc").removesuffix("clang")
    nm, size = f"{tools}nm", f"{tools}size"
    objects = build_objects(kind, LANES.sources, tmp_path)
    undefined = subprocess.run([nm, "-u", *objects], capture_output=True, text=True, check=True).stdout.split()
    assert footprint.undefined_symbols(objects) == {word for word in undefined if word != "U"}
    listed = subprocess.run([size, "-A", *objects], capture_output=True, text=True, check=True).stdout.splitlines()
    code = sum(int(line.split()[1]) for line in listed if line.startswith(".text"))
    assert footprint.text_bytes(objects) == code > 1000


@pytest.mark.parametrize("target", KINDS, ids=str)
def test_the_stack_of_a_known_program(target: Target, tmp_path: Path) -> None:
    require(target)
    source = tmp_path / "frames.c"
    source.write_text(FRAMES)
    build_objects(target, [source], tmp_path, extra=flags(target))
    red_zone = 128 if target.native else 0
    found = worst_stack(tmp_path, "top", red_zone=red_zone)
    assert found.bytes is not None
    # every function's other registers: far less than 100 bytes
    least, most = (1500, 1800 + red_zone) if flags(target) == GCC_FLAGS else (2000, 2500 + red_zone)
    assert least <= found.bytes <= most
    if flags(target) == GCC_FLAGS:
        assert worst_stack(tmp_path, "recursive").how == "recursive calls itself"
        assert worst_stack(tmp_path, "pointer").how == "pointer calls through a pointer"


@pytest.mark.parametrize("core", CORTEX_M7, ids=str)
@pytest.mark.parametrize("frame", ["", "quotient = frame();"])
def test_painted_memory_is_within_the_report(core: Target, frame: str, tmp_path: Path) -> None:
    require(core)
    source = tmp_path / "measured.c"
    source.write_text(HELPERS.replace("FRAME", frame or "(void)frame;"))
    program = build(core, [source, HERE / "stack_used.c"], tmp_path, extra=GCC_FLAGS)
    used = int(lines(run(program))["stack"], 16)
    found = worst_stack(tmp_path, "measured")
    assert found.bytes is not None
    assert "memcpy" in found.outside
    assert (700 if frame else 40) < used <= found.bytes <= used + 200


def test_the_red_zone_is_what_the_report_leaves_out(tmp_path: Path) -> None:
    lane = GCC_X86[-1]
    require(lane)
    source = tmp_path / "leaf.c"
    source.write_text("int leaf(int n);\nint leaf(int n) { volatile char b[100]; b[n] = 1; return b[0]; }\n")
    build_objects(lane, [source], tmp_path, extra=GCC_FLAGS)
    build_objects(lane, [source], tmp_path / "without", extra=[*GCC_FLAGS, "-mno-red-zone"])
    without = worst_stack(tmp_path / "without", "leaf").bytes
    assert without is not None
    assert without >= 100 > (worst_stack(tmp_path, "leaf").bytes or 0)
    assert (worst_stack(tmp_path, "leaf", red_zone=128).bytes or 0) >= without
