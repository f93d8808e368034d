"""What the parts on schemes and interference compare: equal passes, equal numbers, what was measured before is read."""

from dataclasses import replace
from pathlib import Path

import pytest
from _harness import OURS
from modno_parts import _learning, interference, schemes
from modno_parts._learning import Size

TINY = Size(("viscous_burgers", "cahn_hilliard"), 12, 6, 6, (8,), 4)
LEAST_CHANGE = replace(interference.QUICK, steps=2, check=1)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in (schemes, interference):
        monkeypatch.setattr(part, "size", lambda quick: TINY)
    monkeypatch.setattr(schemes, "QUICK_STEPS", 14)
    monkeypatch.setattr(interference, "QUICK", LEAST_CHANGE)


def test_every_scheme_has_the_same_passes_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = schemes.rows(True, tmp_path)
    budget = 4 * 12 * 2 * 14
    means = [row for row in found if row.case.startswith(schemes.MEAN)]
    assert len(means) == len(schemes.KINDS)
    for row in means:
        passes = int(row.note.split()[-2])
        assert 0.7 * budget <= passes <= budget, row.case
    assert {row.rival for row in means} == {OURS, *schemes.KINDS} - {schemes.VARPRO}
    monkeypatch.setattr(schemes, "_best", lambda *given: pytest.fail("measured twice"))
    assert schemes.rows(True, tmp_path) == found


def test_groups_have_no_more_numbers_than_the_shared_branch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = interference.rows(True, tmp_path)

    def numbers(rival: str) -> int:
        notes = {row.rival: row.note for row in found if row.case == interference.MEAN}
        return int(notes[rival].split()[0])

    shared = numbers(OURS)
    assert numbers("a branch for each") <= shared
    assert numbers(interference.LARGE) == 2 * shared
    assert numbers(interference.DELTAS) >= shared
    assert -1.0 <= (found[-1].measured or 0.0) <= 1.0
    monkeypatch.setattr(interference, "fit", lambda *given, **named: pytest.fail("measured twice"))
    assert interference.rows(True, tmp_path) == found


def test_cases_to_measure_on_are_no_cases_to_choose_by() -> None:
    learned = _learning.lesson(TINY, 0)
    for task in learned.spectral:
        fresh = learned.measured[task.name]
        assert not bool((task.held.inputs[0] == fresh.held.inputs[0]).all())
        assert bool((task.train.inputs == fresh.train.inputs).all())
