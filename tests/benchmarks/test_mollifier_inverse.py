"""The benchmark of inverse problems: its questions, scores, fresh seeds, rows with targets and baselines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from _harness import OURS
from mollifier_parts import inverse

from edgepde.problems.heat_field import HeatField
from edgepde.problems.langevin import Langevin

TINY = inverse.Question(
    "tiny heat", "heat_field", HeatField(points=25, frames=9, fine=49), "spline", 0.5, 1e6, covered=("spline",)
)


def test_the_questions_of_the_issue_have_their_targets() -> None:
    targets = {q.case: (q.ours, q.correlation, q.milliseconds) for q in inverse.questions()}
    assert targets["heat, 1 % noise"] == ("spline", 0.99, 50.0)
    assert targets["heat, 5 % noise"] == ("solver", 0.99, 10e3)
    assert targets["reaction-diffusion, 1 % noise"][:2] == ("solver", 0.99)
    assert targets["Langevin force, 1 % noise"][0] == "spline"


def test_scores_are_correlation_and_relative_error() -> None:
    truth = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert inverse.score(truth, truth) == (pytest.approx(1.0), 0.0)
    assert inverse.score(-truth, truth) == (pytest.approx(-1.0), pytest.approx(2.0))
    assert inverse.score(2.0 * truth, truth) == (pytest.approx(1.0), pytest.approx(1.0))


def test_draws_are_fresh_and_repeat() -> None:
    small = replace(TINY, config=Langevin(points=30))
    a, b, other = (list(small.drawn(seed, 2)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a[0].readings, b[0].readings)
    assert not np.array_equal(a[0].readings, a[1].readings)
    assert not np.array_equal(a[0].readings, other[0].readings)
    assert not np.array_equal(a[0].readings, small.config.case(0).readings)


def test_a_question_is_answered_with_baselines_and_what_recover_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inverse, "methods", lambda: ("savgol", "spline", "weak"))
    one = replace(TINY, config=Langevin(points=60), statement="langevin", case="tiny force")
    made = inverse.answered(one, 0, 2)
    assert {row.rival for row in made if row.unit == inverse.CORRELATION and row.case == "tiny force"} == {
        OURS,
        "savgol",
        "weak",
    }
    ours = {row.unit: row for row in made if row.rival == OURS and row.case == "tiny force"}
    assert ours[inverse.CORRELATION].target == 0.5
    assert ours[inverse.CORRELATION].met
    assert ours["ms"].target == 1e6
    assert "least of 2" in ours[inverse.CORRELATION].note
    chosen = next(row for row in made if "what recover chooses" in row.case)
    assert chosen.note
    assert any("share in the band" in row.case for row in made)


def test_quick_asks_no_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(inverse, "answered", lambda question, seed, draws: asked.append(question.ours) or [])
    assert inverse.rows(True, 0) == []
    assert asked
    assert "solver" not in asked
