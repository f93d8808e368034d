"""The rig itself: when a target is skipped, what a program prints and how it fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.targets import (
    ALL,
    CORTEX_M7,
    GCC_X86,
    KINDS,
    RunFailed,
    Target,
    available,
    build,
    build_objects,
    differing,
    lines,
    require,
    run,
)
from support.targets.programs import SELF_TEST, programs

LANE = GCC_X86[2]
PRINT = '#include "edgepde_hash.h"\n#include "edgepde_print.h"\n'


def mode(bits: int) -> str:
    """What sets these bits in the register of floating-point modes."""
    return f"EDGEPDE_CONTROL={bits}u"


def made(body: str, kind: Target, folder: Path) -> str:
    """What a program with this main prints."""
    source = folder / "made.c"
    source.write_text(f"{PRINT}int main(void) {{\n{body}\nreturn 0;\n}}\n")
    return run(build(kind, [source], folder), timeout=20.0)


def test_names_are_unique_and_say_where_a_target_runs() -> None:
    assert len({target.name for target in ALL}) == len(ALL)
    assert all(target.native == target.name.startswith(("x86_64-", "zig-x86_64-")) for target in ALL)


@pytest.mark.parametrize("need", ["no-such-compiler", "/no/such/file", "python:no_such_package"])
def test_a_missing_tool_skips_and_fails_where_ci_is_true(need: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = replace(LANE, needs=("sh", need), processor=frozenset())
    said = available(lacking)
    assert said is not None
    assert f"{need.removeprefix('python:')} not installed" in said
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="not installed"):
        require(lacking)
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="not installed"):
        require(lacking)


def test_a_lesser_processor_skips_even_where_ci_is_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    lacking = replace(LANE, needs=("sh",), processor=frozenset({"avx9000"}))
    with pytest.raises(pytest.skip.Exception, match=r"avx9000|not x86-64"):
        require(lacking)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_hashes_are_fnv1a_of_bits_with_one_nan(kind: Target, tmp_path: Path) -> None:
    require(kind)
    body = """
    union { uint32_t bits; float value; } one = {0x7fc00000u}, other = {0xffc12345u};
    union { uint64_t bits; double value; } wide = {0x7ff8000000000000u}, odd = {0xfff8000000000001u};
    float numbers[2] = {1.0f, -0.0f};
    ep_print_line("none", EP_HASH_START);
    ep_print_line("a", ep_hash_bytes(EP_HASH_START, 'a', 1));
    ep_print_line("foobar", ep_hash_bytes(EP_HASH_START, UINT64_C(0x7261626f6f66), 6));
    ep_print_line("nan", ep_hash_f32(EP_HASH_START, one.value) ^ ep_hash_f32(EP_HASH_START, other.value));
    ep_print_line("NaN", ep_hash_f64(EP_HASH_START, wide.value) ^ ep_hash_f64(EP_HASH_START, odd.value));
    ep_print_line("zero", ep_hash_f32(0, 0.0f) == ep_hash_f32(0, -0.0f));
    ep_print_line("array", ep_hash_array_f32(3, numbers, 2) ^ ep_hash_f32(ep_hash_f32(3, 1.0f), -0.0f));
    """
    assert lines(made(body, kind, tmp_path)) == {
        "none": "cbf29ce484222325",
        "a": "af63dc4c8601ec8c",
        "foobar": "85944171f73967e8",
        **dict.fromkeys(("nan", "NaN", "zero", "array"), "0" * 16),
    }


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_program_that_fails_is_an_error(kind: Target, tmp_path: Path) -> None:
    require(kind)
    with pytest.raises(RunFailed, match="ended with status 3:\nseen"):
        made('ep_print_str("seen");\nreturn 3;', kind, tmp_path)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_program_that_hangs_is_an_error(kind: Target, tmp_path: Path) -> None:
    require(kind)
    source = tmp_path / "hangs.c"
    source.write_text("int main(void) {\n    volatile int on = 1;\n    while (on) {\n    }\n    return 0;\n}\n")
    with pytest.raises(RunFailed, match="did not end in 1 s"):
        run(build(kind, [source], tmp_path), timeout=1.0)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_fault_ends_the_program(kind: Target, tmp_path: Path) -> None:
    require(kind)
    with pytest.raises(RunFailed, match="ended with status 99:\nfault" if kind in CORTEX_M7 else "ended with status -"):
        made("__builtin_trap();", kind, tmp_path)


@pytest.mark.parametrize("core", CORTEX_M7, ids=str)
def test_memory_of_a_bare_core_is_as_c_expects(core: Target, tmp_path: Path) -> None:
    require(core)
    body = """
    static volatile uint32_t data = 0x1234u, zero;
    static volatile char many[5001];
    uint32_t sum = 0;
    for (int i = 0; i < 5001; i++) { sum += (uint32_t)many[i]; }
    data++;
    ep_print_line("data", data);
    ep_print_line("bss", zero + sum);
    """
    assert lines(made(body, core, tmp_path)) == {"data": f"{0x1235:016x}", "bss": "0" * 16}


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize(
    ("part", "on_x86", "on_arm"),
    [
        (1, "EDGEPDE_ROUNDED_TWICE", "EDGEPDE_ROUNDED_TWICE"),
        (2, mode(0x6000), mode(3 << 22)),
        (4, mode(0x8040), mode(1 << 24)),
    ],
    ids=["rounded twice", "towards zero", "no denormals"],
)
def test_the_self_test_sees(part: int, on_x86: str, on_arm: str, kind: Target, tmp_path: Path) -> None:
    require(kind)
    run(build(kind, [SELF_TEST], tmp_path))
    with pytest.raises(RunFailed, match="status 1:\nselftest ") as failed:
        run(build(kind, [SELF_TEST], tmp_path, defines=[on_x86 if kind.native else on_arm]))
    assert int(str(failed.value).split()[-1], 16) & 7 == part


def test_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="different names"):
        build_objects(LANE, [tmp_path / "a" / "x.c", tmp_path / "b" / "x.c"], tmp_path)


def test_every_program_has_its_hashes() -> None:
    assert [source.name for source in programs() if not source.golden.is_file()] == []


def test_programs_are_files_and_folders(tmp_path: Path) -> None:
    for name in ("one.c", "two/a.c", "two/b.c", "headers/only.h"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert [(found.name, len(found.sources)) for found in programs(tmp_path)] == [("one", 1), ("two", 2)]


@pytest.mark.parametrize("text", ["name", "name 12", f"name {'g' * 16}", f"a {'0' * 16}\na {'0' * 16}"])
def test_lines_that_are_no_hashes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="16 hex digits"):
        lines(text)


def test_a_difference_is_named() -> None:
    assert differing({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"}) == ["b", "c"]
