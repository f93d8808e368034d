"""Test programs print the committed hashes on every target, and mistakes made on purpose do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.targets import (
    CLANG_NEON,
    CORTEX_M55,
    GCC_X86,
    BuildFailed,
    Target,
    build,
    differing,
    lines,
    require,
    run,
)
from support.targets.programs import Source, programs

LANES = next(source for source in programs() if source.name == "lanes")
LANE = next(target for target in GCC_X86 if target.name.endswith("lane"))


def golden(source: Source) -> dict[str, str]:
    """The lines a program has to print."""
    return lines(source.golden.read_text(encoding="utf-8"))


@pytest.mark.parametrize("source", programs(), ids=lambda source: source.name)
def test_every_target_prints_the_committed_hashes(target: Target, source: Source, tmp_path: Path) -> None:
    printed = lines(run(build(target, source.sources, tmp_path)))
    assert differing(printed, golden(source)) == []


def of_words(words: NDArray[np.unsignedinteger]) -> str:
    """The hash of edgepde_hash.h over words of four or eight bytes."""
    found = 0xCBF29CE484222325
    for byte in words.astype(words.dtype.newbyteorder("<")).tobytes():
        found = ((found ^ byte) * 0x100000001B3) & (1 << 64) - 1
    return f"{found:016x}"


@pytest.mark.parametrize(("code", "kind"), [("f32", np.float32), ("f64", np.float64)])
def test_halves_and_bytes_are_the_numbers_they_stand_for(code: str, kind: type[np.floating]) -> None:
    expected = golden(next(source for source in programs() if source.name == "stored"))
    word = np.uint32 if code == "f32" else np.uint64
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(kind)
    halves[np.isnan(halves)] = np.nan
    assert expected[f"of_half_{code}"] == expected[f"load_half_{code}"] == of_words(halves.view(word))
    assert expected[f"load_byte_{code}"] == of_words(np.arange(-128, 128).astype(kind).view(word))
    for what in ("half", "byte"):
        assert expected[f"dense_{what}_{code}"] == expected[f"plain_{what}_{code}"]


@pytest.mark.parametrize(
    ("mistake", "seen"),
    [
        ("EDGEPDE_SWAP", {"chain_f32", "chain_f64"}),
        ("EDGEPDE_UNFUSED", {"chain_f32", "chain_f64", "fma_f32", "fma_f64"}),
        # in double the sums of the chain are hardly ever near half way; those of "fma" are by design
        ("EDGEPDE_ROUNDED_TWICE", {"fma_f32", "chain_f64", "fma_f64"}),
    ],
)
def test_a_mistake_in_a_sum_changes_its_hash(mistake: str, seen: set[str], tmp_path: Path) -> None:
    require(LANE)
    printed = lines(run(build(LANE, LANES.sources, tmp_path, defines=[mistake])))
    assert set(differing(printed, golden(LANES))) == seen


def test_flushed_denormals_change_hashes(tmp_path: Path) -> None:
    require(CLANG_NEON)
    pretending = ["EDGEPDE_ARM_SCALAR"]
    printed = lines(run(build(CLANG_NEON, LANES.sources, tmp_path, defines=pretending)))
    assert set(differing(printed, golden(LANES))) == {"equal_f32", "less_f32", "pick_f32"}


@pytest.mark.parametrize("kind", [CLANG_NEON, CORTEX_M55], ids=str)
def test_a_vector_unit_without_denormals_is_refused(kind: Target, tmp_path: Path) -> None:
    require(kind)
    with pytest.raises(BuildFailed, match=r"flushes denormals: put arm_scalar_begin\.h before the kernels"):
        build(CLANG_NEON, LANES.sources, tmp_path)


def test_fast_arithmetic_is_refused(tmp_path: Path) -> None:
    require(LANE)
    with pytest.raises(BuildFailed, match="need IEEE-754 arithmetic"):
        build(LANE, LANES.sources, tmp_path, extra=["-ffast-math"])


@pytest.mark.parametrize("mode", ["__ASSOCIATIVE_MATH__", "__RECIPROCAL_MATH__"])
def test_sums_in_another_order_are_refused_where_the_compiler_says_so(mode: str, tmp_path: Path) -> None:
    require(LANE)
    with pytest.raises(BuildFailed, match="need sums in their own order"):
        build(LANE, LANES.sources, tmp_path, defines=[f"{mode}=1"])


@pytest.mark.parametrize("kind", GCC_X86, ids=str)
def test_the_operations_are_defined_behaviour(kind: Target, tmp_path: Path) -> None:
    require(kind)
    flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    printed = lines(run(build(kind, LANES.sources, tmp_path, optimise="-O1", extra=flags)))
    assert differing(printed, golden(LANES)) == []
