"""fma and square root in software against the processor's, and the self test that a device runs at start-up."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest
from support.kernel_libraries import ISAS, PACKAGE, X86, compile_shared, needs_compiler, needs_processor

SOURCE = Path(__file__).parent / "native" / "soft_arithmetic.c"
KINDS = ["any bits", "cancellation", "smallest results", "half way", "far apart", "special values"]
SOFT = (*ISAS["scalar"], *ISAS["soft"])
TRIPLES = 400_000


def library(folder: Path, *flags: str) -> ctypes.CDLL:
    """The test's C for this processor."""
    needs_compiler("gcc")
    needs_processor("scalar")
    return ctypes.CDLL(str(compile_shared("gcc", "scalar", SOURCE, folder, extra=flags)))


@pytest.fixture(scope="session")
def soft(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return library(tmp_path_factory.mktemp("soft"), *SOFT)


def differing(built: ctypes.CDLL, precision: str, kind: int) -> str:
    """The first of what differs from the processor, "" where nothing does."""
    worst = (ctypes.c_double * 3)()
    call = getattr(built, f"test_triples_{precision}")
    call.restype = ctypes.c_long
    count = call(kind, ctypes.c_long(TRIPLES), ctypes.c_uint64(kind + 1), worst)
    return f"{count} of {TRIPLES} differ, such as {[x.hex() for x in worst]}" if count else ""


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
@pytest.mark.parametrize("precision", ["f32", "f64"])
def test_soft_arithmetic_is_the_processors(precision: str, kind: int, soft: ctypes.CDLL) -> None:
    assert differing(soft, precision, kind) == ""


def changed(folder: Path, header: str, old: str, new: str) -> ctypes.CDLL:
    """A build with one change in one header."""
    text = (PACKAGE / "kernels" / header).read_text(encoding="utf-8")
    assert text.count(old) == 1
    (folder / header).write_text(text.replace(old, new), encoding="utf-8")
    for other in {"selftest.h", "arithmetic.h", "soft_f32.h", "soft_f64.h"} - {header}:
        (folder / other).write_text((PACKAGE / "kernels" / other).read_text(encoding="utf-8"), encoding="utf-8")
    return library(folder, f"-I{folder}", *SOFT)


MUTATIONS = [
    pytest.param("f32", 3, "soft_f32.h", "&& !(bits & 1)", "&& 0", id="float sum rounded twice"),
    pytest.param("f64", 3, "soft_f64.h", "rest > half ||", "rest >= half ||", id="half way up"),
    pytest.param("f64", 3, "wide.h", "moved.low |= lost != 0;", "moved.low |= lost == 1;", id="a rest is lost"),
]


@pytest.mark.parametrize(("precision", "kind", "header", "old", "new"), MUTATIONS)
def test_a_change_is_seen(precision: str, kind: int, header: str, old: str, new: str, tmp_path: Path) -> None:
    assert differing(changed(tmp_path, header, old, new), precision, kind)


@pytest.mark.parametrize("flags", [(), SOFT], ids=["processor", "soft"])
def test_the_self_test_passes_here(flags: tuple[str, ...], tmp_path: Path) -> None:
    assert library(tmp_path, *flags).test_selftest(0) == 0


@pytest.mark.skipif(not X86, reason="the control bits are those of x86")
@pytest.mark.parametrize(
    ("bits", "failed"), [(0x8040, 0o44), (0x6000, 0o22)], ids=["denormals flushed", "rounds to zero"]
)
def test_the_self_test_sees_a_processor_set_wrongly(bits: int, failed: int, tmp_path: Path) -> None:
    assert library(tmp_path).test_selftest(bits) & failed == failed


def test_the_self_test_sees_an_fma_that_rounds_twice(tmp_path: Path) -> None:
    built = changed(tmp_path, "soft_f32.h", "&& !(bits & 1)", "&& 0")
    assert built.test_selftest(0) & 1
