"""The identity benchmark: what it calls the same, different, failed and not here."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import identity
import identity_matrix
import pytest
from support.targets import GCC_X86, available
from support.targets.programs import Source

LANE = GCC_X86[2]
PROGRAM = '#include "edgepde_print.h"\nint main(void) {\n    ep_print_line("a", VALUE);\n    return VALUE == 9;\n}\n'


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """A program that prints one number."""
    if available(LANE):
        pytest.skip(str(available(LANE)))
    path = tmp_path / "one.c"
    path.write_text(PROGRAM.replace("VALUE", "7"))
    return Source("one", (path,))


def test_sources_come_from_every_module(tmp_path: Path) -> None:
    modules = sorted(path.stem for path in Path(identity.__path__[0]).glob("[!_]*.py"))
    names = [found.name for found in identity_matrix.sources(tmp_path, 0)]
    assert sorted(path.name for path in (tmp_path / "sources").iterdir()) == modules
    assert "lanes" in names
    assert len(set(names)) == len(names)


def test_the_first_target_is_the_reference_and_others_are_measured_by_it(source: Source, tmp_path: Path) -> None:
    reference: dict[str, str] = {}
    first = identity_matrix.row(source, LANE, "-O1", reference, tmp_path)
    assert (first.measured, first.met, reference) == (0.0, True, {"a": f"{7:016x}"})
    source.sources[0].write_text(PROGRAM.replace("VALUE", "8"))
    second = identity_matrix.row(source, LANE, "-O1", reference, tmp_path)
    assert (second.measured, second.met, second.note) == (1.0, False, "a")
    assert identity_matrix.verdict(first) == "same"
    assert identity_matrix.verdict(second) == "DIFFERS"


@pytest.mark.parametrize("text", [PROGRAM.replace("VALUE", "9"), "no C", "int main(void) { return 0; "])
def test_what_fails_is_no_match(source: Source, text: str, tmp_path: Path) -> None:
    source.sources[0].write_text(text)
    found = identity_matrix.row(source, LANE, "-O1", {}, tmp_path)
    assert (found.measured, found.met) == (math.inf, False)
    assert found.note
    assert identity_matrix.verdict(found) == "FAILED"


def test_what_is_not_here_says_so(source: Source, tmp_path: Path) -> None:
    found = identity_matrix.row(source, replace(LANE, needs=("no-such-tool",)), "-O1", {}, tmp_path)
    assert (found.measured, found.met) == (None, None)
    assert "no-such-tool not installed" in found.note
    assert "not here" in identity_matrix.matrix([found])


def test_committed_hashes_are_the_reference(source: Source) -> None:
    assert identity_matrix.expected(source) == {}
    assert "fma_f32" in identity_matrix.expected(replace(source, name="lanes"))
