"""Numbers, passes, random fields and ablations of the study of many operators, on figures that are made up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from _harness import OURS, Row
from modno_parts import (
    _all,
    _deeponets,
    _grid,
    _ours,
    _study,
    ablation,
    helped,
    out_of_distribution,
    parameters,
    passes,
)
from modno_parts._deeponets import Net, Shape

from edgepde.modno.closed_form import Closed
from edgepde.problems.operator_data import OperatorData

X, TIMES = np.arange(8) / 4.0, np.linspace(0.0, 1.0, 3)
MADE = _study.plan(True, ["wave", "kdv"])


def data(name: str, count: int = 4) -> OperatorData:
    field = 1.0 + np.random.default_rng(0).uniform(size=(count, len(TIMES), len(X)))
    return OperatorData(name, field[:, 0], X, X, TIMES, field)


@dataclass
class Made:
    """As a run of ours says it; errors: of its predictions."""

    shared: int = 100
    cassette: int = 20
    passes: int = 10
    error: float = 0.1
    seconds: float = 1.0

    @property
    def total(self) -> int:
        return self.shared + 2 * self.cassette

    def own(self, _name: str) -> int:
        return self.cassette

    def numbers(self, _name: str) -> int:
        return self.shared + self.cassette

    def predicted(self, _name: str, given: OperatorData) -> np.ndarray:
        return (1.0 + self.error) * np.asarray(given.field)


def called(rows: list[Row], case: str, rival: str = OURS) -> Row:
    (found,) = [row for row in rows if case in row.case and row.rival == rival]
    return found


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_study, "plan", lambda quick: MADE)
    monkeypatch.setattr(_study, "study", lambda runs, made, name, seed: SimpleNamespace(held=data(name)))


@pytest.mark.usefixtures("study")
def test_numbers_are_held_against_nets_of_equal_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_ours, "obtain", lambda *_: Made())
    rows = parameters.rows(False, tmp_path)
    assert called(rows, "over nets of equal size").measured == 140 / 240
    assert called(rows, "over nets of equal size").met is False
    fair = called(rows, "over the largest", _all.SEPARATE)
    assert fair.measured == MADE.shape.numbers / 120
    assert fair.met is True
    monkeypatch.setattr(_ours, "obtain", lambda *_: Made(shared=10**6))
    assert called(parameters.rows(False, tmp_path), "over the largest", _all.SEPARATE).met is False


@pytest.mark.usefixtures("study")
@pytest.mark.parametrize(("error", "ratio"), [(0.1, 0.01), (0.3, None)])
def test_passes_count_only_where_the_separate_nets_errors_are_reached(
    error: float, ratio: float | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    net = SimpleNamespace(passes_to_best=500, history=[(1.0, 0.4), (2.0, 0.2)])
    monkeypatch.setattr(_ours, "obtain", lambda *_: Made(error=error))
    monkeypatch.setattr(_study, "separate", lambda *_: dict.fromkeys(MADE.names, net))
    row = called(passes.rows(False, tmp_path), "ours over theirs")
    assert row.measured == ratio
    assert ("wave, kdv" in row.note) == (ratio is None)


def test_passes_to_best_are_those_before_the_weights_that_are_kept() -> None:
    net = Net(Shape(4), [], 0.0, 1.0, 0.0, 1.0, [(1.0, 0.5), (2.0, 0.1), (4.0, 0.3)], passes=800)
    assert net.passes_to_best == 400


def test_passes_are_those_a_run_counted_but_for_held_cases() -> None:
    history = {"passes": {"branch_forward": 7, "trunk_forward": 5, "held": 1000}}
    loaded = SimpleNamespace(shared=None, run=SimpleNamespace(spec={"history": history}))
    assert _ours.Ours(loaded).passes == 12  # type: ignore[arg-type]


@pytest.mark.usefixtures("study")
def test_random_fields_say_where_ours_is_worse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    worse = {"wave": 0.1, "kdv": 0.3}

    class Contest:
        def errors(self, name: str, given: OperatorData) -> dict[str, _all.Errors]:
            ours, other = (_all.Errors(*2 * [np.full(len(given), value)]) for value in (worse[name], 0.2))
            return {OURS: ours, **dict.fromkeys(_all.RIVALS, other)}

    monkeypatch.setattr(out_of_distribution, "contest", lambda *_: Contest())
    monkeypatch.setattr(_study, "obtained", lambda runs, made, name, seed, split, count: data(name, count))
    rows = out_of_distribution.rows(False, tmp_path)
    last = rows[-1]
    assert last.measured == 1
    assert "kdv" in last.note
    assert "wave" not in last.note
    assert called(rows, "kdv").measured == pytest.approx(30.0)


def test_variants_take_away_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def fit(*given: Any) -> None:
        how, horizons, reaches = given[2:]
        assert (horizons, reaches) == ({"kdv": 1.0}, {"kdv": 1.25})
        seen.append((how.more > 0, how.images, how.frame))
        raise InterruptedError

    monkeypatch.setattr(ablation, "fit", fit)
    one: Any = SimpleNamespace(name="kdv", horizon=1.0, reach=1.25, train=None, held=None, test=None)
    for settings in ablation.VARIANTS.values():
        with pytest.raises(InterruptedError):
            ablation._fitted([one], Closed(**settings))
    no = False
    assert seen == [(True, True, True), (no, True, True), (no, no, True), (no, True, no), (no, no, no)]


def test_errors_are_means_over_cases_of_their_own_size() -> None:
    exact = np.stack([np.ones((2, 3)), 100.0 * np.ones((2, 3))])
    np.testing.assert_allclose(_grid.relative(exact * np.array([1.1, 1.3])[:, None, None], exact), [0.1, 0.3])


def test_errors_of_rivals_are_taken_once_and_ours_every_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = SimpleNamespace(train=data("kdv"), held=data("kdv"), horizon=0.5)
    taken = []

    def fields(_: _all.Contest, name: str, given: OperatorData) -> dict[str, np.ndarray]:
        taken.append(name)
        return {rival: 1.2 * np.asarray(given.field) for rival in _all.RIVALS}

    monkeypatch.setattr(_all.Contest, "study", lambda *_: own)
    monkeypatch.setattr(_all.Contest, "_fields", fields)
    for error in (0.1, 0.3):
        made = _all.Contest(tmp_path, MADE, 0)
        made.__dict__["ours"] = Made(error=error)
        found = made.errors("kdv", data("kdv"))
        assert found[OURS].whole.mean() == pytest.approx(error)
        assert found[_all.SEPARATE].within.mean() == pytest.approx(0.2)
    assert taken == ["kdv"]


@pytest.mark.parametrize(("value", "wanted"), [(9.0, 1.0), (2.0, 2.0)])
def test_beyond_the_horizon_a_net_gets_the_better_of_two(value: float, wanted: float) -> None:
    given = data("kdv")
    own: Any = SimpleNamespace(train=given, horizon=0.5, on_grid=lambda fields, data: np.ones_like(fields))
    late = (given.times > 0.5)[:, None]

    def net(inputs: np.ndarray, times: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.asarray(np.where(late, value, 7.0) * np.ones((len(inputs), len(times), len(x))))

    exact = OperatorData("kdv", given.sensors, X, X, TIMES, np.where(late, wanted, 7.0) * np.ones_like(given.field))
    assert np.allclose(_all._better(net, own, exact), exact.field)


def test_nets_are_given_the_equations_cases_where_there_is_one_and_trained_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = []

    def study(*given: Any) -> Any:
        return SimpleNamespace(name=given[2], digest=given[2], held="held", cases=lambda part: part)

    def train(shape: Shape, pairs: list[Any], *_: object) -> list[Net]:
        seen.append(pairs)
        return [Net(shape, [torch.zeros(1)], 0.0, 1.0, 0.0, 1.0, [(1.0, 0.5)], 8) for _ in pairs]

    monkeypatch.setattr(_study, "study", study)
    monkeypatch.setattr(_deeponets, "train", train)
    monkeypatch.setattr(helped, "_with_more", lambda own: "cases" if own.name == "kdv" else None)
    for _ in range(2):
        found = helped.richer(tmp_path, MADE, 0, ("wave", "kdv"))
        assert list(found) == ["kdv"]
        assert found["kdv"].passes == 8
    assert seen == [[("cases", "held")]]
