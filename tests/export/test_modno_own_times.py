"""Operators of one's own in a bundle: only times with held-out cases have a number, and by default only these ship."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edgepde_export.lowering.modno import _sensors
from edgepde_export.lowering.modno_certificate import Compared, _model
from edgepde_export.lowering.modno_grid import default_times, places
from edgepde_export.lowering.modno_held_out import drawn, fractions
from edgepde_export.lowering.modno_report import report_arrays
from edgepde_runtime.errors import InputError
from hypothesis import given
from hypothesis import strategies as st

from edgepde.modno.encoding import Encoding
from edgepde.modno.held_out import keep
from edgepde.modno.store import Loaded, Shared, load
from edgepde.mollifier.grid import Grid
from edgepde.problems import operators
from edgepde.problems.operator_data import generate

from .operator_runs import OWN, write

HAS = np.array([0.1, 0.3, 0.35, 0.7, 1.0])
X = np.arange(8) / 4


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A run of advection and of data of one's own at times HAS of the same horizon, 2."""
    path: Path = write(tmp_path_factory.mktemp("runs") / "run", ("advection",))
    keep(path, replace(generate("advection", 120, 0, times=2.0 * HAS), name=OWN))
    return load(path)


def grid(times: object) -> Grid:
    """These times at a few places."""
    return Grid.of(t=np.asarray(times), x=X)


def score(loaded: Loaded, times: object) -> tuple[Compared, float | None, str]:
    """The model term of one's own operator: wrong by t everywhere."""
    at = places(loaded.shared, grid(times), fractions(loaded))
    draws = drawn(loaded, OWN, at, 0)
    assert draws.field is not None
    wrong = draws.field + (draws.times / 2.0)[:, None]
    found = Compared(draws, wrong, wrong, wrong)
    term = _model(found)
    return found, term.value, term.how


def test_times_of_held_out_cases_are_what_ships(loaded: Loaded) -> None:
    at = places(loaded.shared, None, fractions(loaded))
    assert at.times == pytest.approx(HAS)
    assert not drawn(loaded, OWN, at, 0).unknown


def test_a_number_is_of_the_times_of_the_grid_alone(loaded: Loaded) -> None:
    found, value, how = score(loaded, HAS[[1, 3]] * (1.0 + 1e-8))
    assert found.draws.times == pytest.approx(2.0 * HAS[[1, 3]])
    assert value == pytest.approx(HAS[3])
    assert "at the times of the grid and the 256 places of its file" in how


def test_one_time_is_no_picture(loaded: Loaded) -> None:
    assert report_arrays({OWN: score(loaded, HAS[-1:])[0]}) is None
    assert report_arrays({OWN: score(loaded, HAS[-2:])[0]}) is not None


@pytest.mark.parametrize("between", [0.2, 0.3001, 0.9])
def test_a_time_without_held_out_cases_has_no_number(loaded: Loaded, between: float) -> None:
    found, value, how = score(loaded, [0.1, between, 1.0])
    assert value is None
    assert f"the bundle has t = {between:g} of the horizon" in how
    assert "held-out cases are at 0.1, 0.3, 0.35, 0.7, 1 alone; --grid t=.." in how
    assert "no model term" in found.words
    assert len(found.relative) == len(found.draws.sensors)


@pytest.mark.parametrize("times", [[0.05, 1.0], [0.1, 1.001], [0.0, 0.3]])
def test_times_outside_those_of_the_file_are_refused(loaded: Loaded, times: list[float]) -> None:
    with pytest.raises(
        InputError, match=rf"0.1 to 1 for {OWN}, as its held-out cases are at 0.1, .*, 1; got {times[0]:g} "
    ):
        places(loaded.shared, grid(times), fractions(loaded))


def test_known_operators_go_as_far_as_they_are_tested(loaded: Loaded) -> None:
    shared = loaded.shared
    cassette = shared.cassettes["advection"]
    mixed = {"mix_klein_gordon": replace(cassette, name="mix_klein_gordon", horizon=1.0)}
    about = {"mix_klein_gordon": {"statement": operators.operator("mix_klein_gordon").statement}}
    far = places(Shared(shared.model, mixed, about), grid([0.0, 1.25]))
    assert far.times[-1] == 1.25
    with pytest.raises(InputError, match="0 to 1 for advection"):
        places(Shared(shared.model, {"advection": cassette}, shared.about), grid([0.0, 1.25]))


def test_default_times_are_those_that_all_files_share() -> None:
    every = np.arange(21) / 20
    thirds = np.arange(1, 4) / 3
    assert default_times({}) == pytest.approx(np.arange(1, 11) / 10)
    assert default_times({"a": every}) == pytest.approx(np.arange(1, 11) / 10)
    assert default_times({"a": every, "b": np.array([0.15, 0.5, 1.0])}) == pytest.approx([0.15, 0.5, 1.0])
    assert default_times({"a": every, "b": thirds}) == pytest.approx([1.0])
    assert default_times({"a": every[:3], "b": thirds}) == pytest.approx(np.arange(1, 11) / 10)


@given(st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=40, unique=True), min_size=1, max_size=4))
def test_nothing_ships_by_default_that_a_file_lacks_where_files_share_a_time(steps: list[list[int]]) -> None:
    files = [np.sort(np.array(one)) / 60 for one in steps]
    made = default_times({str(i): one for i, one in enumerate(files)})
    shared = sorted(set.intersection(*(set(one) for one in steps)) - {0})
    assert 1 <= len(made) <= 10
    assert (np.diff(made) > 0).all()
    if shared:
        assert set(np.round(60 * made).astype(int)) <= set(shared)
        assert len(made) == len(shared) or len(shared) > 10


def test_uneven_sensors_are_listed(loaded: Loaded) -> None:
    shared = loaded.shared
    uneven = np.array([0.0, 0.5, 1.1, 1.6])
    model = type("Model", (), {"encoding": Encoding(uneven, 2.0, 1)})()
    assert _sensors(replace(shared, model=model)) == "4 sensors (at x = 0, 0.5, 1.1, 1.6 on a period of 2)"


def test_few_cases_say_how_many_to_give(tmp_path: Path) -> None:
    path = write(tmp_path / "run", ("advection",))
    keep(path, replace(generate("advection", 20, 0, times=2.0 * HAS), name=OWN))
    found, value, how = score(load(path), HAS)
    assert value is not None
    for said in (how, found.words):
        assert "20 held-out cases; a promise at 99 % takes 99: give 495 cases or more, without --quick" in said
