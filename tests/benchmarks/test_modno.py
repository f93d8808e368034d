"""The study of many operators: its rivals learn, its table judges, what was trained once is read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import modno
import numpy as np
import pytest
from _harness import OURS
from hypothesis import given
from hypothesis import strategies as st
from modno_parts import _all, _deeponets, _grid, _rivals, _study, table
from modno_parts._deeponets import Cases, How, Shape

from edgepde.errors import DataError
from edgepde.problems.operator_data import OperatorData

X, TIMES = np.arange(16) / 8.0, np.linspace(0.0, 1.0, 5)
SENSORS = np.arange(8) / 4.0
SHAPE = Shape(8, (16, 16), (16, 16, 16), 8, 2)


def waves(count: int, seed: int, square: float = 0.0) -> Cases:
    """a cos(pi x) + b sin(pi x), which stands still and dies away; square: of the input is added."""
    a = np.random.default_rng(seed).uniform(-1.0, 1.0, (count, 2))
    shape = [np.stack([np.cos(np.pi * x), np.sin(np.pi * x)]) for x in (SENSORS, X)]
    inputs, start = (a @ part for part in shape)
    field = (start + square * start**2)[:, None] * np.exp(-TIMES)[:, None]
    return Cases(inputs, field, TIMES, X)


def same(fields: _rivals.Floats) -> np.ndarray:
    return np.asarray(fields, np.float64)


def test_the_entry_has_the_parts_of_the_folder() -> None:
    folder = Path(modno.__file__).with_name("modno_parts")
    wanted = {f.stem for f in folder.glob("[!_]*.py") if "\ndef rows(" in f.read_text(encoding="utf-8")}
    assert set(modno.parts()) == wanted
    assert "table" in wanted
    assert all(part.__doc__ for part in modno.parts().values())


@pytest.mark.parametrize("numbers", [4000, 40_000, 61_000])
def test_a_net_of_a_size_is_as_large_as_it_may_be(numbers: int) -> None:
    shape = Shape.of(numbers, 32)
    assert 0.93 * numbers < shape.numbers <= numbers
    branch, trunk = (sum((n + 1) * m for n, m in part) for part in shape.layers)
    assert 0.8 < branch / trunk < 1.25


def test_numbers_of_a_net_are_those_it_holds() -> None:
    (net,) = _deeponets.train(SHAPE, [(waves(8, 0), waves(4, 1))], How(longest=1), 0)
    scales = [net.shift, net.scale, net.center, net.spread]
    assert SHAPE.numbers == sum(leaf.numel() for leaf in net.leaves) + len(scales)


def test_nets_side_by_side_learn() -> None:
    how = How(rate=1e-2, cases=16, points=40, check=20, patience=2, cuts=2, longest=100)
    pairs = [(waves(32, 0), waves(16, 1)), (waves(32, 0, 1.0), waves(16, 1, 1.0))]
    nets = _deeponets.train(SHAPE, pairs, how, 0)
    for net, (_, held) in zip(nets, pairs, strict=True):
        first, best = net.history[0][1], min(error for _, error in net.history)
        assert best < 0.5 * first
        found = _grid.relative(net(held.inputs, TIMES, X), held.field).mean()
        assert found == pytest.approx(best, rel=1e-3)
        assert net.passes == pytest.approx(net.history[-1][0] * 32 * _deeponets.FORWARD_AND_BACKWARD)


def test_a_net_that_stalls_stops_alone() -> None:
    how = How(rate=1e-2, cases=16, points=20, check=5, patience=2, cuts=1, gain=0.0, longest=30)
    good = waves(16, 1)
    stalls = Cases(good.inputs, np.full_like(good.field, np.inf), TIMES, X, np.ones(16))
    nets = _deeponets.train(SHAPE, [(waves(32, 0), good), (waves(32, 0), stalls)], how, 0)
    checks = how.patience * (how.cuts + 1)
    assert len(nets[1].history) == checks
    assert nets[1].passes == checks * how.check * how.cases * _deeponets.FORWARD_AND_BACKWARD
    assert len(nets[0].history) > checks


def test_a_net_beside_another_is_the_net_alone() -> None:
    how = How(cases=8, points=20, check=10, longest=10)
    pair = waves(16, 0), waves(8, 1)
    alone = _deeponets.train(SHAPE, [pair], how, 0)[0]
    beside = _deeponets.train(SHAPE, [pair, (waves(16, 0, 1.0), waves(8, 1, 1.0))], how, 0)[0]
    inputs = waves(3, 5).inputs
    np.testing.assert_allclose(beside(inputs, TIMES, X), alone(inputs, TIMES, X), rtol=1e-4, atol=1e-5)


def test_a_net_reads_points_and_times_it_never_saw_with_the_period() -> None:
    (net,) = _deeponets.train(SHAPE, [(waves(8, 0), waves(4, 1))], How(longest=2, cases=4), 0)
    inputs = waves(3, 2).inputs
    np.testing.assert_allclose(net(inputs, [0.3], X + 2.0), net(inputs, [0.3], X), atol=1e-5)
    whole = net(inputs, TIMES, X)
    np.testing.assert_allclose(net(inputs, TIMES[1:2], X[3:4])[:, 0, 0], whole[:, 1, 3], atol=1e-6)


def test_errors_are_relative_to_sizes_that_are_given() -> None:
    held = waves(4, 1)
    double = Cases(held.inputs, held.field, TIMES, X, 2.0 * np.sqrt(np.square(held.field).mean((1, 2))))
    nets = _deeponets.train(SHAPE, [(waves(8, 0), held), (waves(8, 0), double)], How(longest=1), 0)
    assert nets[1].history[0][1] == pytest.approx(0.5 * nets[0].history[0][1], rel=1e-3)


def test_what_was_trained_is_read_again(tmp_path: Path) -> None:
    (net,) = _deeponets.train(SHAPE, [(waves(8, 0), waves(4, 1))], How(longest=1), 0)
    paths = _study.kept(tmp_path, "net", ["data", SHAPE])
    assert paths == _study.kept(tmp_path, "net", ["data", SHAPE])
    assert paths != _study.kept(tmp_path, "net", ["other data", SHAPE])
    _study.write(net, *paths)
    again = _study.read(*paths)
    inputs = waves(3, 2).inputs
    np.testing.assert_array_equal(again(inputs, TIMES, X), net(inputs, TIMES, X))
    assert (again.shape, again.history, again.passes) == (net.shape, net.history, net.passes)


def test_linear_rivals_are_exact_on_a_linear_operator_and_kernels_on_no_other() -> None:
    held, test = waves(16, 1), waves(16, 2)
    exact = _rivals.linear(waves(32, 0), held, same)
    assert exact.validation < 1e-6
    assert _grid.relative(exact.predict(test.inputs).reshape(test.field.shape), test.field).max() < 1e-6
    bent = waves(48, 0, 0.5), waves(16, 1, 0.5)
    line, kernel = (fit(*bent, same).validation for fit in (_rivals.linear, _rivals.kernel_ridge))
    assert kernel < 0.2 * line
    assert _rivals.kernel_ridge(*bent, same).numbers >= bent[0].inputs.size + bent[0].field.size


def test_pod_with_an_mlp_keeps_the_best_weights_and_learns_what_least_squares_leave() -> None:
    bent, test = (waves(48, 0, 0.5), waves(16, 1, 0.5)), waves(16, 2, 0.5)
    few, many = (_rivals.pod_mlp(*bent, same, 16, 0, steps) for steps in (50, 400))
    assert many.validation < 0.5 * few.validation
    assert _grid.relative(many.predict(test.inputs).reshape(test.field.shape), test.field).mean() < 0.2
    line = waves(48, 0), waves(16, 1)
    assert _rivals.pod_mlp(*line, same, 16, 0, 50, skip=True).validation < 1e-5


@given(st.integers(0, 7), st.floats(-3.0, 3.0), st.floats(0.0, 1.0))
def test_waves_and_polynomials_are_read_exactly_between_points(k: int, shift: float, when: float) -> None:
    field = np.cos(np.pi * k * X + 0.3)[None] * (TIMES**3 - TIMES)[:, None]
    wanted = np.cos(np.pi * k * (X[:3] + shift) + 0.3) * (when**3 - when)
    time = _grid.time_matrix(TIMES, np.array([when]), 1.0, 1)
    found = time @ field @ _grid.space_matrix(X, X[:3] + shift, 2.0)
    np.testing.assert_allclose(found[0], wanted, atol=1e-9)


@pytest.mark.parametrize("degree", [1, 2])
def test_times_beyond_the_last_follow_the_degree_that_continued_best(degree: int) -> None:
    times = 0.5 * np.sin(0.5 * np.pi * np.arange(24) / 23) ** 2
    field = np.stack([(1.0 + c * times**degree)[:, None] * np.ones(4) for c in (1.0, 2.0)])
    assert _grid.continuation(field, times, 0.5) == degree
    wanted = np.array([0.2, 0.6])
    found = _grid.time_matrix(times, wanted, 0.5, degree) @ field[1]
    np.testing.assert_allclose(found[:, 0], 1.0 + 2.0 * wanted**degree, rtol=1e-9)


def operators_of(names: str) -> list[_study.Study]:
    made = []
    for k, name in enumerate(names):
        a = waves(6, k, 0.3 * k)
        data = OperatorData(name, a.inputs, SENSORS, X, TIMES * (k + 1), (k + 1) * a.field + k)
        made.append(_study.Study(name, 0, k + 1.0, data, data, data))
    return made


def test_one_net_for_all_is_told_the_operator_and_gives_its_scale_back() -> None:
    studies = operators_of("ab")
    scales = {s.name: (float(s.train.field.mean()), float(s.train.field.std())) for s in studies}
    cases = _study._together([s.train for s in studies], studies, scales)
    np.testing.assert_array_equal(cases.inputs[:, 8:], np.repeat(np.eye(2), 6, axis=0))
    assert cases.sizes is not None
    np.testing.assert_allclose(
        cases.sizes * np.repeat([scales[n][1] for n in "ab"], 6),
        np.concatenate([np.sqrt(np.square(s.train.field).mean((1, 2))) for s in studies]),
    )
    (net,) = _deeponets.train(Shape(8, (8,), (8,), 4, 2, extra=2), [(cases, cases)], How(longest=1), 0)
    joined = _study.Joined(net, ("a", "b"), scales)
    inputs = studies[0].train.sensors
    plain = net(np.hstack([inputs, np.tile([0.0, 1.0], (6, 1))]), TIMES, X)
    np.testing.assert_allclose(joined("b", inputs, TIMES, X), plain * scales["b"][1] + scales["b"][0])
    assert joined.numbers == net.shape.numbers + 4


def test_operators_of_other_times_do_not_share_a_net() -> None:
    first, other = operators_of("ab")
    moved = replace(other, train=replace(other.train, times=other.train.times**1.1))
    with pytest.raises(DataError, match="b: times: expected those of a"):
        _study._together([first.train, moved.train], [first, moved], {"a": (0.0, 1.0), "b": (0.0, 1.0)})


def line(ours: float, rival: float, branchless: float = 9.0, read: int = 3) -> table.Line:
    errors = {OURS: ours, **dict.fromkeys(_all.RIVALS, rival)}
    return table.Line("wave", 0, errors, errors, branchless, read, 8)


@pytest.mark.parametrize(
    ("ours", "verdict"), [(0.5, "win"), (0.99, "tie"), (1.0, "tie"), (1.019, "tie"), (1.021, "LOSS"), (2.0, "LOSS")]
)
def test_within_two_percent_is_a_tie(ours: float, verdict: str) -> None:
    assert line(ours, 1.0).verdict == verdict


@pytest.mark.parametrize(("branchless", "read", "uses"), [(1.5, 3, True), (1.01, 3, False), (1.5, 0, False)])
def test_an_operator_uses_the_branch_where_it_costs_to_go_without(branchless: float, read: int, uses: bool) -> None:
    assert line(1.0, 1.0, branchless, read).uses_branch == uses


def test_the_table_counts_what_is_lost_and_what_does_without() -> None:
    made = _study.plan(True)
    won, used = table._goals([line(2.0, 1.0, read=0)], made, quick=False)
    assert (won.measured, used.measured) == (0, 0)
    assert won.met is False
    assert "wave (2.00)" in won.note
    assert "wave" in used.note
    won, used = table._goals([line(1.0, 1.0)], made, quick=False)
    assert (won.measured, used.measured) == (1, 1)
    rows = table._operator("wave", [line(0.2, 1.0)], quick=False)
    assert rows[0].target == table.GOALS["linear"]
    assert rows[0].met is False
