"""A shared branch in closed form: features and ridge, bases, selection, the whole fit on small exact operators."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgepde.errors import SettingError
from edgepde.modno import figures
from edgepde.modno.closed_form import Closed, Fitted, fit, kernels
from edgepde.modno.closed_form.features import Units, appended, shared_output, unappended
from edgepde.modno.closed_form.ridge import PENALTIES, Ridge
from edgepde.modno.closed_form.solving import smallest
from edgepde.modno.store import shared_numbers
from edgepde.problems.operator_data import OperatorData

Floats = NDArray[np.float64]
PERIOD, MODES, COUNT = 2.0, 2, 60
SENSOR_X = PERIOD * np.arange(9) / 9
X = PERIOD * np.arange(16) / 16
TIMES = 0.25 * (1.0 - np.cos(np.pi * np.arange(9) / 8))
SMALL = Closed(units=48, features=12, rank=6, more=0)


def drawn(seed: int, count: int) -> tuple[Floats, Floats, Floats]:
    """Coefficients a, b [N, 2] and sensors."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-1.0, 1.0, (2, count, MODES)) / np.arange(1, MODES + 1)
    return a, b, values(a, b, SENSOR_X)


def values(a: Floats, b: Floats, x: Floats) -> Floats:
    """s at x."""
    angle = 2.0 * np.pi / PERIOD * np.arange(1, MODES + 1)[:, None] * x
    return a @ np.cos(angle) + b @ np.sin(angle)


def advected(seed: int, count: int = COUNT, x: Floats = X, times: Floats = TIMES) -> OperatorData:
    """u_t + u_x = 0."""
    a, b, s = drawn(seed, count)
    field = np.stack([values(a, b, x - t) for t in times], 1)
    return OperatorData("advected", s, SENSOR_X, x, times, field, PERIOD)


def squared(seed: int, count: int = COUNT, x: Floats = X, times: Floats = TIMES) -> OperatorData:
    """u = s + t s^2: neither linear nor odd, and no equation of the form looked for."""
    a, b, s = drawn(seed, count)
    first = values(a, b, x)
    return OperatorData("squared", s, SENSOR_X, x, times, first[:, None] + times[:, None] * first[:, None] ** 2, PERIOD)


@cache
def fitted() -> Fitted:
    """Both operators in one model."""
    return fit([advected(0), squared(0)], [advected(1), squared(1)], SMALL)


def test_a_linear_operator_is_exact_at_places_and_times_never_seen() -> None:
    fresh = advected(7, 20, X[:11] + 0.03, np.array([0.011, 0.21, 0.47]))
    made = fitted()
    assert made.figures["advected"]["chosen"] == "linear"
    assert made.cassettes["advected"].rank == 0
    assert figures.errors(made.model, made.cassettes["advected"], fresh).relative.max() < 1e-4


def test_a_curved_operator_reads_the_shared_features_and_gains_by_it() -> None:
    made = fitted()
    said = made.figures["squared"]
    assert said["chosen"] == "shared"
    measured = figures.errors(made.model, made.cassettes["squared"], squared(9, 40)).mean
    assert measured < 0.3 * said["linear"]
    assert measured == pytest.approx(said["error"], rel=1.0)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.0, PERIOD))
def test_a_shifted_input_shifts_the_answer(by: float) -> None:
    made = fitted()
    a, b, s = drawn(11, 4)
    moved = values(a, b, SENSOR_X - by)
    cassette = made.cassettes["squared"]
    here = squared(11, 4)
    there = OperatorData("squared", moved, SENSOR_X, X + by, TIMES, here.field, PERIOD)
    plain = OperatorData("squared", s, SENSOR_X, X, TIMES, here.field, PERIOD)
    found, wanted = (figures.predicted(made.model, cassette, data) for data in (there, plain))
    np.testing.assert_allclose(found, wanted, atol=3e-4)


def test_no_image_is_taken_that_the_operator_has_not() -> None:
    assert set(fitted().figures["squared"]["images"]) <= {"mirror"}


def test_what_is_stored_is_counted() -> None:
    made = fitted()
    branch = made.model.branch
    assert shared_numbers(made.model) == sum(p.numel() for p in branch.parameters())
    one = made.cassettes["squared"]
    masks = 0 if one.reads is None else one.reads.size
    assert one.numbers == one.multiplier.size + one.mixing.size + one.basis.size + masks + 1
    assert made.figures["squared"]["numbers"] == one.numbers


def test_the_same_seed_makes_the_same_model() -> None:
    again = fit([advected(0), squared(0)], [advected(1), squared(1)], SMALL)
    for name, one in fitted().cassettes.items():
        np.testing.assert_array_equal(again.cassettes[name].basis, one.basis)
        np.testing.assert_array_equal(again.cassettes[name].mixing, one.mixing)


def test_without_the_frame_no_cassette_turns_its_inputs() -> None:
    made = fit([squared(0)], [squared(1)], Closed(units=48, features=12, rank=6, more=0, frame=False, images=False))
    assert not made.cassettes["squared"].frame
    assert made.figures["squared"]["images"] == []


def test_sensors_at_other_places_are_refused() -> None:
    other = advected(0)
    moved = OperatorData("moved", other.sensors, SENSOR_X + 0.01, X, TIMES, other.field, PERIOD)
    with pytest.raises(InputError, match="moved"):
        fit([squared(0), moved], [squared(1), moved], SMALL)


@pytest.mark.parametrize(
    ("name", "value"), [("units", 0), ("features", 0), ("rank", 0), ("more", -1), ("slack", -0.1), ("width", 0.0)]
)
def test_settings_that_mean_nothing_are_refused(name: str, value: float) -> None:
    with pytest.raises(SettingError, match=name):
        Closed(**{name: value})  # type: ignore[arg-type]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(3, 12), st.sampled_from(PENALTIES))
def test_ridge_solves_its_normal_equations(seed: int, features: int, penalty: float) -> None:
    rng = np.random.default_rng(seed)
    a, y = rng.standard_normal((20, features)), rng.standard_normal((20, 3))
    w = Ridge(a, y).weights(penalty)
    direct = np.linalg.solve(a.T @ a / 20 + penalty * np.eye(features), a.T @ y / 20)
    np.testing.assert_allclose(w, direct, rtol=1e-6, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_weights_of_appended_inputs_are_weights_of_the_inputs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, features, w = rng.standard_normal((7, 4)), rng.standard_normal((7, 5)), rng.standard_normal((10, 2))
    plain = np.concatenate([features, x, np.ones((7, 1))], axis=1)
    np.testing.assert_allclose(plain @ unappended(w, 4, 0.7), appended(features, x, 0.7) @ w, rtol=1e-9, atol=1e-9)


def test_centres_come_in_the_order_in_which_they_are_missed_most() -> None:
    x = np.concatenate([np.zeros((3, 2)), np.array([[5.0, 0.0]]), 0.5 * np.eye(2)])
    found = kernels.chosen(x, 1.0, 10)
    assert found[:2].tolist() == [0, 3]
    assert sorted(found.tolist()) == [0, 3, 4, 5]
    assert kernels.chosen(x, 1.0, 2).tolist() == [0, 3]


def test_kept_centres_span_the_functions_of_all() -> None:
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (60, 2))
    units = Units(x[kernels.chosen(x, 1.5, 60)], 1.5)
    y = np.sin(x[:, :1]) * x[:, 1:]
    w = np.linalg.lstsq(units(x), y, rcond=None)[0]
    assert len(units.centres) < 60
    np.testing.assert_allclose(units(x) @ w, y, atol=1e-3)


def test_shared_features_hold_what_all_want_when_there_are_enough() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.0, 1.0, (80, 3))
    units = Units(x[:20], 1.0)
    weights = [rng.standard_normal((20, 2)), rng.standard_normal((20, 3))]
    whole = shared_output(units, weights, [1.0, 1.0], x, 5)
    for w in weights:
        wanted = units(x) @ w
        left = wanted - whole(x) @ np.linalg.lstsq(whole(x), wanted, rcond=None)[0]
        assert np.linalg.norm(left) < 1e-5 * np.linalg.norm(wanted)
    assert whole.width == 5


def test_the_operator_with_the_larger_share_keeps_its_functions() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(-1.0, 1.0, (80, 3))
    units = Units(x[:20], 1.0)
    loud, quiet = rng.standard_normal((20, 2)), rng.standard_normal((20, 2))
    few = shared_output(units, [loud, quiet], [1e3, 1.0], x, 2)
    lost = [
        np.linalg.norm(f - few(x) @ np.linalg.lstsq(few(x), f, rcond=None)[0]) / np.linalg.norm(f)
        for f in (units(x) @ loud, units(x) @ quiet)
    ]
    assert lost[0] < 1e-3 < lost[1]


def test_the_module_says_what_the_functions_say() -> None:
    import torch

    x = np.random.default_rng(2).uniform(-1.0, 1.0, (30, 3))
    output = shared_output(Units(x[:10], 1.0), [np.eye(10)[:, :4]], [1.0], x, 4)
    made = output.branch()(torch.from_numpy(x).float()).detach().numpy()
    np.testing.assert_allclose(made, output(x), atol=2e-4 * np.abs(output.output).max())


def test_a_basis_is_cut_where_nothing_is_lost() -> None:
    basis = np.zeros((4, 6, 9))
    basis[:2, :3, [0, 1, 2, 5, 6]] = np.random.default_rng(0).standard_normal((2, 3, 5))

    def error(cut: Floats) -> float:
        return float(np.linalg.norm(basis) - np.linalg.norm(cut))

    assert smallest(basis, error, 1e-12).shape == (2, 3, 5)
    assert smallest(basis, error, -1.0).shape == basis.shape
