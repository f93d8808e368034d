"""Cases of operators: drawn alike by seed, on grids training never saw, written and read alike, every defect named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.errors import DataError, ProblemError
from edgepde.problems import operator_inputs, operators
from edgepde.problems.fourier import grid, on_grid
from edgepde.problems.operator_data import MEMBERS, OperatorData, generate, load


def small(name: str, count: int = 4, seed: int = 0, **how: Any) -> OperatorData:
    return generate(name, count, seed, **{"points": 16, "times": np.array([0.0, 0.01]), **how})


def test_all_of_one_kind_get_the_same_inputs() -> None:
    wave, burgers, porous = (small(name).sensors for name in ("wave", "viscous_burgers", "porous_medium_2"))
    assert np.array_equal(wave, burgers)
    assert np.array_equal(wave, porous)
    assert not np.array_equal(wave, small("mix_klein_gordon").sensors)


def test_a_setting_gives_every_operator_its_own() -> None:
    wave, advection = (small(name, own_inputs=True).sensors for name in ("wave", "advection"))
    assert np.abs(wave - advection).max() > 0.1


def test_seeds_and_splits_are_other_cases_and_counts_are_not() -> None:
    first = small("wave", 3)
    assert np.array_equal(first.sensors, small("wave", 3).sensors)
    assert np.array_equal(first.field, small("wave", 7).take(slice(0, 3)).field)
    others = [small("wave", 3, seed=1), *(small("wave", 3, split=split) for split in ("validation", "test", "grf"))]
    for one in others:
        assert not np.isin(one.sensors, first.sensors).any()


@pytest.mark.parametrize("name", ["burgers", "mix_cahn_hilliard"])
def test_cases_do_not_depend_on_how_many_are_solved_at_once(name: str) -> None:
    few = small(name, 2, times=np.array([0.02]))
    assert np.array_equal(few.field, small(name, 30, times=np.array([0.02])).take(slice(0, 2)).field)


def test_sensors_are_the_input_and_the_field_starts_there() -> None:
    for name in ("kdv", "mix_sine_gordon"):
        data = small(name, points=64, sensors=32)
        assert np.abs(data.field[:, 0, ::2] - data.sensors).max() < 1e-12
    porous = small("porous_medium_2", points=32, sensors=32)
    most = np.abs(on_grid(operator_inputs.fourier(4, np.random.default_rng([0, *_words("train", "")]), 2.0), 4096)).max(
        -1
    )
    assert np.abs(porous.field[:, 0] - (0.6 + 0.4 * porous.sensors / most[:, None])).max() < 1e-6


def _words(*words: str) -> list[int]:
    return [int.from_bytes(word.encode(), "little") for word in words]


@pytest.mark.parametrize("name", ["advection", "mix_klein_gordon"])
@pytest.mark.parametrize("split", ["validation", "test", "grf"])
def test_held_out_cases_lie_where_training_never_was(name: str, split: Any) -> None:
    train, other = generate(name, 1, 0), generate(name, 1, 0, split=split)
    assert train.field.shape == (1, 24, 256)
    assert other.field.shape == (1, 10, 128)
    assert np.abs(train.x[:, None] - other.x).min() > 1e-3
    assert np.abs(train.times[:, None] - other.times).min() > 1e-6
    assert np.array_equal(train.sensor_x, other.sensor_x)
    horizon = operators.operator(name).horizon
    assert train.times[0] == 0.0
    assert train.times[-1] == horizon
    assert (other.times.max() > horizon) == (name == "mix_klein_gordon" and split == "test")
    assert other.times.max() <= 1.25 * horizon


def test_the_kinds_of_inputs_have_one_size() -> None:
    rng = np.random.default_rng(0)
    sizes = {name: np.mean(on_grid(kind(4000, rng, 2.0), 128) ** 2) for name, kind in operator_inputs.KINDS.items()}
    assert sizes["fourier"] == pytest.approx(operator_inputs.MEAN_SQUARE, rel=0.05)
    assert sizes["grf"] == pytest.approx(operator_inputs.MEAN_SQUARE, rel=0.05)
    assert sizes["mixture"] == pytest.approx(operator_inputs.MEAN_SQUARE, rel=0.1)


def test_random_fields_have_the_covariance_they_state() -> None:
    u = on_grid(operator_inputs.random_field(10000, np.random.default_rng(0), 2.0), 64)
    found = (u[:, :1] * u).mean(0)
    apart = np.minimum(grid(64, 2.0), 2.0 - grid(64, 2.0))
    wanted = np.exp(-0.5 * (apart / 0.2) ** 2)
    wanted = (wanted - wanted.mean()) / (1.0 - wanted.mean()) * operator_inputs.MEAN_SQUARE
    assert np.abs(found - wanted).max() < 0.04 * operator_inputs.MEAN_SQUARE


def test_mixtures_are_bumps() -> None:
    rng, again = np.random.default_rng(5), np.random.default_rng(5)
    found = on_grid(operator_inputs.mixture(3, rng, 2.0), 128)
    h, p, w = np.moveaxis(again.uniform(size=(3, 2, 3)), -1, 0)
    h, p, w = 2.0 * h - 1.0, 2.0 * p, 0.12 + 0.18 * w
    x = grid(128, 2.0)
    bumps = [np.exp(-0.5 * ((x - p[..., None] + turn) / w[..., None]) ** 2) for turn in (-4.0, -2.0, 0.0, 2.0, 4.0)]
    assert np.abs(found - (h[..., None] * sum(bumps)).sum(1)).max() < 1e-10


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"count": 0}, "count: expected at least 1, got 0"),
        ({"seed": -1}, "seed: expected at least 0"),
        ({"split": "tset"}, "split: expected one of train, validation, test, grf, got 'tset'"),
        ({"points": 2}, "points: expected at least 3"),
        ({"sensors": 2}, "sensors: expected at least 3"),
        ({"times": 1}, "times: expected at least 2"),
        ({"count": 1 << 40}, "expected at most"),
    ],
)
def test_what_cannot_be_drawn(change: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        generate(**{"name": "wave", "count": 1, "seed": 0, **change})


def test_an_unknown_operator_is_not_drawn() -> None:
    with pytest.raises(ProblemError, match=r"known: .*wave"):
        generate("waev", 1, 0)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 5), st.booleans(), st.floats(0.1, 10.0))
def test_data_comes_back(tmp_path_factory: pytest.TempPathFactory, count: int, half: bool, period: float) -> None:
    rng = np.random.default_rng(count)
    kind = np.float32 if half else np.float64
    data = made(rng, count, kind, period)
    path = tmp_path_factory.mktemp("data") / "mine.npz"
    data.save(path)
    back = load(path)
    assert back.name == "mine"
    for member in MEMBERS:
        assert np.array_equal(getattr(back, member), getattr(data, member)), member
    assert back.field.dtype == kind
    first = path.read_bytes()
    back.save(path)
    assert path.read_bytes() == first


def made(rng: np.random.Generator, count: int = 3, kind: Any = np.float64, period: float = 2.0) -> OperatorData:
    x = grid(6, period)
    field = rng.standard_normal((count, 4, 6)).astype(kind)
    return OperatorData("mine", rng.standard_normal((count, 5)), grid(5, period), x, np.arange(4.0), field, period, "m")


BAD: list[tuple[dict[str, Any], str]] = [
    ({"sensors": None}, "missing: sensors; unknown: none"),
    ({"more": np.zeros(1)}, "missing: none; unknown: more"),
    ({"sensors": np.zeros((3, 4))}, r"sensors: expected \[N > 0, 5\], one per place of sensor_x, got \[3, 4\]"),
    ({"sensors": np.zeros((0, 5))}, r"sensors: expected \[N > 0, 5\]"),
    ({"field": np.zeros((3, 6, 4))}, r"field: expected \[3, 4, 6\] \(cases, times, x\), got \[3, 6, 4\]"),
    ({"sensors": np.where(np.arange(15).reshape(3, 5) == 7, np.nan, 0.0)}, r"sensors\[1, 2\]: expected a finite"),
    ({"field": np.full((3, 4, 6), np.inf)}, r"field\[0, 0, 0\]: expected a finite number, got inf \(72 such"),
    ({"x": np.arange(6.0)}, r"x: expected places within one period of 2, got 0 \.\. 5"),
    ({"x": np.linspace(0.0, 2.0, 6)}, "x: .*the last is the first again: leave it out"),
    ({"sensor_x": np.array([0.0, 0.5, 0.4, 1.0, 1.5])}, "sensor_x: expected them to increase, got 0.5 then 0.4 at 2"),
    ({"sensor_x": np.zeros((5, 1))}, r"sensor_x: expected at least 3 places in one row, got shape \[5, 1\]"),
    ({"times": np.array([0.0, 1.0, 1.0, 2.0])}, "times: expected them to increase, got 1 then 1 at 2"),
    ({"times": np.array([-1.0, 0.0, 1.0, 2.0])}, "times: expected times from 0 on, got -1"),
    ({"times": np.array([0.0, 1.0, np.nan, 2.0])}, "times: expected finite numbers"),
    ({"period": 0.0}, "period: expected a number above 0, got 0"),
    ({"period": np.ones(2)}, r"period: expected one value, got shape \[2\]"),
    ({"period": np.array("2")}, "period: expected numbers, got <U1"),
    ({"unit": np.ones(1)}, "unit: expected a text, got float64"),
    ({"unit": np.array("\n")}, "unit: expected a text of 1 to 64 letters"),
    ({"times": np.arange(4)}, "times.*float64"),
    ({"field": np.zeros((3, 4, 6), dtype=object)}, "field"),
]


@pytest.mark.parametrize(("change", "said"), BAD)
def test_every_defect_is_named_with_file_and_member(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = tmp_path / "mine.npz"
    good = made(np.random.default_rng(0))
    held = {member: getattr(good, member) for member in MEMBERS} | change
    np.savez(path, **{member: array for member, array in held.items() if array is not None})
    with pytest.raises(DataError, match=said) as caught:
        load(path)
    assert "mine.npz" in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    with pytest.raises(DataError, match="cannot be read"):
        load(path)
    made(np.random.default_rng(0)).save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="expected an npz file"):
        load(path)


def test_the_unit_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    good = made(np.random.default_rng(0))
    np.savez(path, **{member: getattr(good, member) for member in MEMBERS if member != "unit"})
    assert load(path).unit == "1"
