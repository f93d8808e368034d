"""Operators of one's own: read from a file or a folder, every defect told with file and member, split for training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgepde.errors import DataError, ProblemError, SettingError
from edgepde.modno import held_out, store
from edgepde.modno.cases import cases, names, split
from edgepde.modno.own_data import OwnOperators, between_times, read_data
from edgepde.modno.settings import Settings
from edgepde.modno.spectral import Spectral, fitting_terms
from edgepde.modno.training_run import train
from edgepde.problems.operator_data import OperatorData, generate
from edgepde.train.recipe import load_recipe
from edgepde.train.run_folder import Run


def drift(count: int = 20, **how: Any) -> OperatorData:
    """Transport, given at evenly spaced places and times."""
    return generate("advection", count, 3, **{"points": 32, "times": np.linspace(0.0, 2.0, 9), "sensors": 16, **how})


def test_a_file_is_one_operator(tmp_path: Path) -> None:
    drift().save(tmp_path / "drift.npz")
    found, digest = read_data(tmp_path / "drift.npz")
    assert found.names == ("drift",)
    assert np.array_equal(found[0].field, drift().field)
    assert digest != read_data_of(tmp_path, drift(21))


def read_data_of(folder: Path, data: OperatorData) -> str:
    data.save(folder / "drift.npz")
    return read_data(folder / "drift.npz")[1]


def test_a_folder_is_one_operator_a_file(tmp_path: Path) -> None:
    for name in ("second", "first"):
        drift().save(tmp_path / f"{name}.npz")
    (tmp_path / "notes.txt").write_text("mine")
    found, digest = read_data(tmp_path)
    assert found.names == ("first", "second")
    (tmp_path / "second.npz").rename(tmp_path / "third.npz")
    assert read_data(tmp_path)[1] != digest, "the names are part of it"


def test_what_is_known_between_times_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drift().save(tmp_path / "drift.npz")
    read_data(tmp_path)
    said = capsys.readouterr().err
    assert "drift: 20 cases, 16 sensors, 9 times, 32 places; a time left out is predicted by the others" in said
    few, many = (drift(times=np.linspace(0.0, 2.0, n)) for n in (9, 33))
    assert between_times(few) > 0.01
    assert between_times(many) < 1e-4
    gaps = 0.5 * (few.times[1:] + few.times[:-1])
    truth = drift(times=gaps).field
    terms = fitting_terms(few.field, few.times, 2.0)
    form = Spectral(2.0, 0, 2.0, terms - 1)
    guess = np.einsum("ij,njx->nix", form.time_matrix(gaps) @ np.linalg.pinv(form.time_matrix(few.times)), few.field)
    assert np.linalg.norm(guess - truth) / np.linalg.norm(truth) < between_times(few)


def test_both_recipes_read_it() -> None:
    for name in ("modno_16", "modno_pilot"):
        assert load_recipe(name).read_data is read_data


def test_where_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected an npz file or a folder of them, there is none"):
        read_data(tmp_path / "none")
    with pytest.raises(DataError, match="expected 1 to 256 npz files, one per operator, got 0"):
        read_data(tmp_path)
    drift().save(tmp_path / "a b.npz")
    with pytest.raises(DataError, match="it names the operator"):
        read_data(tmp_path)


BASE = drift()
BAD: list[tuple[OperatorData, str]] = [
    (drift(11), "expected at least 12 cases to learn from and to test on, got 11"),
    (drift(times=np.linspace(0.0, 2.0, 3)), "times: expected at least 4 to follow a field in time, got 3"),
    (
        drift(times=np.array([0.0, 0.1, 0.2, 0.3, 2.0])),
        r"times: expected none further apart than 0\.4 of the last, 2; nothing is known between 0\.3 and 2",
    ),
    (drift(times=np.array([1.0, 1.3, 1.6, 2.0])), "nothing is known between 0 and 1"),
    (replace(BASE, field=BASE.field + BASE.x), "field: expected values that repeat with the period 2: case 0 changes"),
    (replace(BASE, sensors=BASE.sensors + 3.0 * BASE.sensor_x), "sensors: expected values that repeat"),
    (replace(BASE, period=3.0), r"sensor_x: expected places all around the period of 3: there is none between 1\.875"),
    (
        replace(BASE, field=BASE.field * (np.arange(20) != 4)[:, None, None]),
        r"field: case 4 is 0 everywhere \(1 such\)",
    ),
    (replace(BASE, sensors=np.ones_like(BASE.sensors)), "sensors: expected inputs that differ, got the same 20 times"),
    (BASE.take(np.arange(20) % 19), "case 19 is case 0 again: it could be both trained on and tested"),
]


@pytest.mark.parametrize(("data", "said"), BAD)
def test_what_cannot_be_learned_from(tmp_path: Path, data: OperatorData, said: str) -> None:
    data.save(tmp_path / "mine.npz")
    with pytest.raises(DataError, match=said) as caught:
        read_data(tmp_path)
    assert "mine.npz" in str(caught.value)


@pytest.mark.parametrize("name", ["burgers", "kdv", "porous_medium_4", "mix_viscous_burgers", "advection"])
@pytest.mark.parametrize("points", [16, 64])
def test_periodic_fields_are_not_refused(tmp_path: Path, name: str, points: int) -> None:
    generate(name, 12, 0, points=points, times=6, sensors=16).save(tmp_path / f"{name}.npz")
    assert read_data(tmp_path)[0].names == (name,)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (drift(sensors=12), r"expected the places of .*a\.npz \(16 on a period of 2\), got 12 on a period of 2"),
        (
            replace(BASE, sensor_x=BASE.sensor_x + 0.01),
            r"b\.npz: sensor_x: expected .*sensor 0 at 0\), got sensor 0 at 0\.01: one branch reads",
        ),
        (
            OperatorData("b", BASE.sensors, 2.0 * BASE.sensor_x, 2.0 * BASE.x, BASE.times, BASE.field, 4.0),
            r"got 16 on a period of 4",
        ),
    ],
)
def test_unequal_sensors_are_told(tmp_path: Path, other: OperatorData, said: str) -> None:
    BASE.save(tmp_path / "a.npz")
    other.save(tmp_path / "b.npz")
    with pytest.raises(DataError, match=said):
        read_data(tmp_path)


def test_every_case_is_in_one_part() -> None:
    parts = split(drift(50), Settings(), 0)
    rows = [one.sensors for one in (parts.train, parts.validation, parts.test)]
    assert [len(r) for r in rows] == [30, 10, 10]
    assert {row.tobytes() for row in np.concatenate(rows)} == {row.tobytes() for row in drift(50).sensors}
    assert parts.own
    assert parts.linear is None
    assert parts.horizon == 2.0
    few = split(drift(50), Settings(test=3, validation=2), 0)
    assert [len(few.train), len(few.validation), len(few.test)] == [45, 2, 3]
    other = split(drift(50), Settings(), 1)
    assert not np.array_equal(other.test.sensors, parts.test.sensors)


@pytest.mark.parametrize(("count", "told"), [(12, True), (60, False)])
def test_what_a_run_keeps_is_what_it_was_neither_trained_on_nor_chosen_by(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int, told: bool
) -> None:
    how = Settings(operators=("wave",), samples=33, validation=2, test=3, sensors=16, scheme="linear", rank=2)
    given = replace(drift(count), name="drift", source="drift.npz")
    with Run.start(tmp_path / "run", {"seed": 4}, data=OwnOperators([given])) as run:
        train(how, run, torch.device("cpu"))
    few = "drift: 8 cases to learn from, 32 are needed to test symmetries; it is learned without the canonical frame"
    assert (few in capsys.readouterr().err) == told
    parts = split(given, how, 4)
    found = held_out.kept(tmp_path / "run", "drift")
    assert found is not None
    assert np.array_equal(found.sensors, parts.test.sensors)
    assert np.array_equal(found.field, parts.test.field)
    seen = {row.tobytes() for row in np.concatenate([parts.train.sensors, parts.validation.sensors])}
    assert len(seen) + len(found) == count
    assert not seen & {row.tobytes() for row in found.sensors}
    assert held_out.kept(tmp_path / "run", "wave") is None
    cassette = store.load(tmp_path / "run").shared.cassettes["drift"]
    assert bool(cassette.frame) != told


def test_own_operators_stand_alone_or_beside_known_ones() -> None:
    own = OwnOperators([replace(drift(), name="drift")])
    pilot = load_recipe("modno_pilot")
    assert names(pilot.config(), own) == ("drift",)
    assert names(Settings(), own) == ("drift",)
    assert names(Settings(operators=("wave",)), own) == ("drift", "wave")
    assert names(Settings(operators=("wave",)), None) == ("wave",)
    both = Settings(operators=("wave",), samples=4, validation=1, test=1)
    assert cases("drift", both, own, 0).own
    assert not cases("wave", both, own, 0).own
    with pytest.raises(SettingError, match="wave is a file of --data as well; rename it"):
        names(Settings(operators=("wave",)), OwnOperators([replace(drift(), name="wave")]))
    with pytest.raises(DataError, match="--data: expected operators, got int"):
        names(Settings(), 3)


def test_an_unknown_operator_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ProblemError, match=r"did you mean wave\? known: .*viscous_burgers"):
        Settings(operators=("wav",))
