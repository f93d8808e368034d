"""The search for the worst input: what it must find, and what it must never claim."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime.box import Box
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgepde.certify.search import Worst, worst_case, worst_point
from edgepde.certify.steep import steepest

Array = NDArray[np.float64]

PARAMETERS, DOMAIN = Box([0.1], [10.0]), Box([-1.0, 0.0], [1.0, 1.0])
BOXES = (PARAMETERS, DOMAIN)
NONE = np.zeros((0, 2))


def bump(parameters: Array, points: Array, centre: tuple[float, float, float], width: float) -> Array:
    """exp(-(distance / width)^2), distances of the parameter in its logarithm: height 1."""
    p = np.log(parameters[:, 0] / centre[0])
    x = ((points - np.array(centre[1:])) ** 2).sum(axis=1)
    return np.exp(-(p[:, None] ** 2 + x[None, :]) / width**2)


def grid(n: int) -> tuple[Array, Array]:
    """n parameters and n^2 points, far from the spikes used below."""
    axis = np.linspace(0.0, 1.0, n)
    mesh = np.meshgrid(2.0 * axis - 1.0, axis, indexing="ij")
    return np.geomspace(0.1, 10.0, n)[:, None], np.stack([m.ravel() for m in mesh], axis=1)


SPIKE = (1.13, 0.23, 0.37)


def spiky(parameters: Array, points: Array) -> Array:
    """A low hill of height 0.1 that leads to a spike of height 1 between the sample points."""
    return -0.1 * bump(parameters, points, SPIKE, 0.5) - 0.9 * bump(parameters, points, SPIKE, 0.02)


def test_a_spike_between_the_sample_points_is_found_by_local_search() -> None:
    parameters, points = grid(11)
    assert np.abs(spiky(parameters, points)).max() < 0.15
    worst = worst_case(spiky, parameters, points, BOXES)
    assert worst.value > 0.9
    np.testing.assert_allclose(worst.point, SPIKE[1:], atol=0.01)
    np.testing.assert_allclose(worst.parameters, SPIKE[:1], rtol=0.02)


def test_it_reports_where_and_how_much_it_compared() -> None:
    seen = 0

    def error(parameters: Array, points: Array) -> Array:
        nonlocal seen
        values = spiky(parameters, points)
        seen += values.size
        return values

    worst = worst_case(error, *grid(11), BOXES)
    assert abs(spiky(worst.parameters[None], worst.point[None])[0, 0]) == worst.value
    assert worst.compared == seen


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_counts_as_infinite(bad: float) -> None:
    parameters, points = grid(5)

    def error(parameters: Array, points: Array) -> Array:
        values = spiky(parameters, points)
        values[(parameters[:, 0] > 9.0)[:, None] & (points[:, 0] > 0.9)] = bad
        return values

    worst = worst_case(error, parameters, points, BOXES)
    assert worst.value == np.inf
    assert worst.parameters[0] > 9.0
    assert worst.point[0] > 0.9
    assert worst_point(lambda x: error(parameters[-1:], x)[0], points, DOMAIN, NONE).value == np.inf


@given(
    st.tuples(st.floats(0.2, 5.0), st.floats(-0.9, 0.9), st.floats(0.1, 0.9)),
    st.floats(0.05, 1.0),
    st.integers(0, 3),
)
@settings(max_examples=25, deadline=None)
def test_it_never_exceeds_the_supremum_and_stays_in_the_box(
    centre: tuple[float, float, float], width: float, seed: int
) -> None:
    asked: list[tuple[Array, Array]] = []

    def error(parameters: Array, points: Array) -> Array:
        asked.append((parameters, points))
        return bump(parameters, points, centre, width)

    parameters, points = grid(5)
    worst = worst_case(error, parameters, points, BOXES, seed=seed)
    assert bump(parameters, points, centre, width).max() <= worst.value <= 1.0
    for p, x in asked:
        assert PARAMETERS.contains(p).all()
        assert DOMAIN.contains(x).all()


def same(one: Worst, two: Worst) -> bool:
    return one.value == two.value and bool(np.array_equal(one.point, two.point))


def test_a_seed_gives_the_same_search_again() -> None:
    parameters, points = grid(11)
    assert same(worst_case(spiky, parameters, points, BOXES, 5), worst_case(spiky, parameters, points, BOXES, 5))
    assert not same(worst_case(spiky, parameters, points, BOXES, 5), worst_case(spiky, parameters, points, BOXES, 6))


def test_one_box_is_searched_down_to_float32_spacing() -> None:
    def needle(points: Array) -> Array:
        """Steepens all the way: 1 - |x - c|^(1/4)."""
        return 1.0 - np.abs(points - np.array(SPIKE[1:])).max(axis=1) ** 0.25

    worst = worst_point(needle, grid(7)[1], DOMAIN, NONE)
    assert worst.value > 0.96
    assert worst.parameters.shape == (0,)
    assert needle(worst.point[None])[0] == worst.value


def test_one_box_is_searched_around_the_places_named_too() -> None:
    def error(points: Array) -> Array:
        return bump(np.ones((1, 1)), points, (1.0, *SPIKE[1:]), 1e-4)[0]

    points = grid(7)[1]
    assert worst_point(error, points, DOMAIN, NONE).value < 1e-6
    assert worst_point(error, points, DOMAIN, np.array([[0.2301, 0.3701]])).value > 0.99


@pytest.mark.parametrize("steepness", [1.0, 50.0, 3e6])
def test_the_steepest_place_is_found_however_narrow(steepness: float) -> None:
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (4000, 1))
    found = steepest(lambda x: np.tanh(steepness * (x - 0.3)), points)
    scale = float(np.abs(points).max())
    assert found.slope == pytest.approx(steepness * scale, rel=1e-3)
    assert abs(found.points[0, 0] - 0.3) < max(0.05 / steepness, 0.02 * (steepness < 2))


def test_a_slope_is_per_column_s_own_scale() -> None:
    rng = np.random.default_rng(1)
    points = rng.random((4000, 2)) * np.array([1e6, 1e-6])
    found = steepest(lambda x: 3.0 * x[:, :1] / 1e6 + 4.0 * x[:, 1:] / 1e-6, points)
    assert found.slope <= 5.01
    assert found.slope > 4.5


def test_points_that_coincide_have_no_slope() -> None:
    points = np.repeat(np.array([[0.0], [1.0]]), 20, axis=0)
    assert np.isfinite(steepest(lambda x: 2.0 * x, points).slope)
