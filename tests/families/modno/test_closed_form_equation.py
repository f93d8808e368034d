"""The equation that cases obey: found where there is one, refused where not; what is made with it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgepde.modno.closed_form import Closed, flow, more, starts, taking
from edgepde.modno.closed_form.more import Law
from edgepde.modno.closed_form.taking import Cases, taken_in
from edgepde.modno.encoding import Encoding
from edgepde.problems import operators
from edgepde.problems.operator_data import OperatorData, generate

Floats = NDArray[np.float64]
SENSORS, POINTS, TIMES = 16, 48, 14
ENCODING = Encoding(2.0 * np.arange(SENSORS) / SENSORS, 2.0, 4)


@cache
def cases(name: str, split: str = "train", count: int = 40) -> OperatorData:
    """Of a known operator."""
    return generate(name, count, 0, split=split, points=POINTS, times=TIMES, sensors=SENSORS)  # type: ignore[arg-type]


@cache
def law(name: str) -> Law:
    """Found in 40 cases."""
    found = more.law(cases(name), cases(name, "validation"), ENCODING, operators.operator(name).horizon)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "order", "wanted"),
    [
        ("advection", 1, {(1, 1): -0.5}),
        ("wave", 2, {(1, 2): 0.25}),
        ("klein_gordon", 2, {(1, 0): -0.01, (1, 2): 1.0}),
        ("porous_medium_2", 1, {(2, 2): 1.0}),
        ("cahn_hilliard", 1, {(1, 2): -0.02, (1, 4): -1e-4, (3, 2): 0.02}),
    ],
)
def test_the_equation_of_known_operators_is_found(name: str, order: int, wanted: dict[tuple[int, int], float]) -> None:
    found = law(name).flow
    assert found.order == order
    for (power, derivative), value in wanted.items():
        row = found.powers.index(power)
        assert found.coefficients[row, derivative] == pytest.approx(value, rel=2e-2)


def test_its_solutions_are_the_operators() -> None:
    test = cases("cahn_hilliard", "test", 8)
    found = more.solved(test, law("cahn_hilliard"), test.sensors, test.times)
    assert np.linalg.norm(found - test.field) < 2e-3 * np.linalg.norm(test.field)


def test_what_obeys_no_equation_has_none() -> None:
    data = cases("advection")
    bent = data.field + data.times[:, None] * data.field[:, :1] ** 2
    changed = OperatorData("bent", data.sensors, data.sensor_x, data.x, data.times, bent)
    assert more.law(changed, changed, ENCODING, 2.0) is None


def test_data_that_do_not_begin_at_the_start_have_none() -> None:
    data = cases("advection")
    late = OperatorData("late", data.sensors, data.sensor_x, data.x, data.times[1:], data.field[:, 1:])
    assert starts.find(late, ENCODING) is None
    assert more.law(late, late, ENCODING, 2.0) is None


def test_noise_hides_the_equation_instead_of_making_another() -> None:
    data = cases("cahn_hilliard")
    noise = 0.3 * np.random.default_rng(0).standard_normal(data.field.shape) * np.abs(data.field).max()
    rough = OperatorData("rough", data.sensors, data.sensor_x, data.x, data.times, data.field + noise)
    assert more.law(rough, rough, ENCODING, 1.0) is None


def test_starts_are_told_apart() -> None:
    assert isinstance(starts.find(cases("advection"), ENCODING), starts.Same)
    found = starts.find(cases("porous_medium_2", count=12), ENCODING)
    assert isinstance(found, starts.Swung)
    assert (found.middle, found.swing) == pytest.approx((0.6, 0.4), abs=1e-3)


def test_an_image_is_taken_only_where_the_equation_has_it() -> None:
    others = cases("porous_medium_2", "validation")
    assert taking._has_image(others, law("porous_medium_2"), ENCODING, "mirror")
    assert not taking._has_image(others, law("porous_medium_2"), ENCODING, "odd")
    others = cases("cahn_hilliard", "validation")
    assert all(taking._has_image(others, law("cahn_hilliard"), ENCODING, name) for name in ("odd", "mirror_odd"))


def test_cases_go_on_as_they_are_before_the_horizon() -> None:
    data = cases("cahn_hilliard")
    sensors = more.inputs(data, ENCODING, 5, 0)
    found = more.with_more(data, law("cahn_hilliard"), sensors, 1.25, 1.0)
    assert len(found) == len(data) + 5
    assert found.times[-1] == pytest.approx(1.25)
    np.testing.assert_array_equal(found.field[: len(data), : len(data.times)], data.field)
    wanted = operators.operator("cahn_hilliard").solve(data.field[:3, 0], found.times[-1:])
    assert np.linalg.norm(found.field[:3, -1:] - wanted) < 5e-3 * np.linalg.norm(wanted)


def test_an_operator_without_an_equation_goes_on_as_polynomials() -> None:
    rng = np.random.default_rng(0)
    times = 0.5 * (1.0 - np.cos(np.pi * np.arange(12) / 11))
    parts = rng.standard_normal((3, 4, 1, POINTS))
    field = sum(part * times[:, None] ** d for d, part in enumerate(parts))
    x = 2.0 * np.arange(POINTS) / POINTS
    data = OperatorData("straight", rng.standard_normal((4, SENSORS)), ENCODING.sensor_x, x, times, np.asarray(field))
    found = more.carried(data, 1.25, 1.0)
    wanted = sum(part * found.times[:, None] ** d for d, part in enumerate(parts))
    np.testing.assert_allclose(found.field, wanted, atol=1e-6 * np.abs(wanted).max())


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_new_inputs_are_like_those_given(seed: int) -> None:
    data = cases("advection")
    made = ENCODING.coefficients(more.inputs(data, ENCODING, 400, seed))
    given = ENCODING.coefficients(data.sensors)
    energy = [(c[:, 1:5] ** 2 + c[:, 5:] ** 2).mean(0) for c in (made, given)]
    assert (energy[0] < 3.0 * energy[1]).all()
    assert (energy[0] > energy[1] / 3.0).all()
    np.testing.assert_allclose(made[:, 0], 0.0, atol=1e-9)
    np.testing.assert_array_equal(more.inputs(data, ENCODING, 400, seed) @ ENCODING.analysis, made)


def test_powers_are_those_of_the_values() -> None:
    rng = np.random.default_rng(0)
    c = rng.standard_normal((3, 6)) + 1j * rng.standard_normal((3, 6))
    c[:, 0] = c[:, 0].real
    c[:, 3:] = 0.0
    x = 2.0 * np.arange(64) / 64
    wave = np.exp(1j * np.pi * np.outer(np.arange(6), x))
    values = 2.0 * (c @ wave).real - c[:, :1].real
    for power, found in zip((1, 2, 3), flow.powers_of(c, (1, 2, 3)), strict=True):
        wanted = (values**power @ np.conj(wave).T) / 64
        np.testing.assert_allclose(found, wanted[:, :6], atol=1e-9)


def test_what_an_operator_is_taken_in_with_is_told() -> None:
    exact = taken_in(Cases(cases("advection"), cases("advection", "validation"), 2.0), ENCODING, Closed(more=20))
    assert exact.linear < 2e-4
    assert exact.figures["equation"] is None
    curved = Cases(cases("porous_medium_2"), cases("porous_medium_2", "validation"), 0.1)
    made = taken_in(curved, ENCODING, Closed(more=20))
    assert made.figures["images"] == ["mirror"]
    assert "(u^2)_xx" in str(made.figures["equation"])
    assert len(made.member.inputs) == 2 * (40 + 20)
    assert len(taken_in(curved, ENCODING, Closed(more=0, images=False)).member.inputs) == 40


@pytest.mark.parametrize(("name", "wanted"), [("mirror", ["mirror"]), ("odd", [])])
def test_without_an_equation_images_must_serve_the_held_cases(
    name: str, wanted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking.symmetry, "symmetries", lambda *_: ("shift", name))
    known = Cases(cases("porous_medium_2"), cases("porous_medium_2", "validation"), 0.1)
    assert taken_in(known, ENCODING, Closed(more=0)).figures["images"] == wanted
