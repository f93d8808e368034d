"""The parts of the reduced basis: interpolation points, rows, grids, first guesses, tables, candidates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgepde.errors import TrainingError
from edgepde.problems.problem import Problem, Term
from edgepde.s2gpt import start
from edgepde.s2gpt.candidates import candidates, nearest
from edgepde.s2gpt.field_table import (
    STENCIL,
    FieldTable,
    build_table,
    fields_error,
    interpolation_matrix,
    lagrange_coefficients,
)
from edgepde.s2gpt.field_table import test_points as points_to_test
from edgepde.s2gpt.grid import Axis, fitted_axis, tensor_grid
from edgepde.s2gpt.interpolation import empirical_basis, residual_points
from edgepde.s2gpt.rows import Tangents, choose_rows, leverage_weights

Array = NDArray[np.float64]
SEEDS = st.integers(0, 2**31)


def problem(columns: int, scale: str = "linear") -> Problem:
    names = [f"p{i}" for i in range(columns)]
    return Problem(
        name="toy",
        coordinates=Box([0.0], [1.0], ["x"]),
        parameters=Box([0.01] * columns, [2.0] * columns, names),
        terms=(Term(lambda c, p: torch.ones_like(c["x"]), ("u",)),),
        lift=lambda c, p: c["x"],
        mask=lambda c: c["x"],
        scales=(scale,) * columns,  # type: ignore[arg-type]
    )


def snapshots(seed: int, count: int, rows: int = 60) -> Array:
    """Smooth fields of decreasing size."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, rows)[:, None]
    k = np.arange(1, 9)
    return np.asarray(np.sin(np.pi * x * k) / k**2 @ rng.normal(size=(8, count)))


@given(SEEDS, st.integers(1, 8))
def test_the_empirical_basis_interpolates_and_is_triangular(seed: int, count: int) -> None:
    fields = snapshots(seed, count)
    basis = empirical_basis(fields)
    xi = fields @ basis.transform
    at_points = xi[basis.indices]
    np.testing.assert_allclose(np.diag(at_points), 1.0, atol=1e-6)
    np.testing.assert_allclose(at_points[np.triu_indices(count, 1)], 0.0, atol=1e-6)
    assert np.abs(xi).max() <= 1 + 1e-6
    assert len(set(basis.indices.tolist())) == count
    np.testing.assert_array_equal(np.tril(basis.transform, -1), 0.0)


@given(SEEDS, st.integers(2, 8))
def test_a_smaller_basis_is_the_beginning_of_a_larger_one(seed: int, count: int) -> None:
    fields = snapshots(seed, count)
    whole = empirical_basis(fields)
    for n in range(1, count):
        part = empirical_basis(fields[:, :n])
        np.testing.assert_array_equal(part.indices, whole.indices[:n])
        np.testing.assert_allclose(part.transform, whole.transform[:n, :n], rtol=1e-12)


@given(SEEDS, st.integers(1, 8))
def test_a_snapshots_own_coefficients_give_it_back(seed: int, count: int) -> None:
    fields = snapshots(seed, count)
    basis = empirical_basis(fields)
    np.testing.assert_allclose(fields @ basis.transform @ basis.snapshot_coefficients.T, fields, atol=1e-9)


@pytest.mark.parametrize("spoil", ["copy", "multiple", "sum", "zero", "nan"])
def test_a_snapshot_that_adds_nothing_is_refused_by_number(spoil: str) -> None:
    fields = snapshots(0, 3)
    bad = {
        "copy": fields[:, 1],
        "multiple": -7.0 * fields[:, 0],
        "sum": fields.sum(axis=1),
        "zero": np.zeros(60),
        "nan": np.full(60, np.nan),
    }
    with pytest.raises(TrainingError, match=r"snapshot 4 adds nothing to the 3 before it"):
        empirical_basis(np.concatenate([fields, bad[spoil][:, None]], axis=1))


@given(SEEDS, st.integers(1, 6))
def test_residual_points_are_distinct_and_skip_what_is_known(seed: int, count: int) -> None:
    fields = snapshots(seed, count)
    twice = np.concatenate([fields, fields[:, :1], np.zeros((60, 1))], axis=1)
    found = residual_points(twice)
    assert len(set(found.tolist())) == len(found) == count
    assert found[0] == np.abs(fields[:, 0]).argmax()


def tangents(seed: int, rows: int = 50, columns: int = 4) -> Tangents:
    rng = np.random.default_rng(seed)
    return Tangents.of(rng.normal(size=(6, rows, columns)) * np.exp(-np.arange(columns)))


@given(SEEDS, st.integers(1, 8), st.integers(1, 49))
def test_rows_are_distinct_hold_the_first_and_are_as_many_as_asked(seed: int, first: int, count: int) -> None:
    given_first = np.random.default_rng(seed).choice(50, first, replace=False)
    found = choose_rows(tangents(seed), given_first, count)
    assert len(set(found.tolist())) == len(found) == count
    assert found.min() >= 0
    assert found.max() < 50
    np.testing.assert_array_equal(found[: min(first, count)], given_first[:count])


def test_rows_chosen_twice_count_once() -> None:
    found = choose_rows(tangents(0), np.array([3, 3, 5, 3]), 6)
    assert found[:2].tolist() == [3, 5]
    assert len(set(found.tolist())) == 6


@given(SEEDS)
def test_pivoted_rows_determine_the_tangents_better_than_chance(seed: int) -> None:
    """The tangent space is 8 wide, of rapidly falling importance along the rows."""
    rng = np.random.default_rng(seed)
    wide = rng.normal(size=(2, 50, 4)) * np.exp(-0.1 * np.arange(50))[:, None]
    space = Tangents.of(wide)
    found = choose_rows(space, np.array([0]), 12)
    chance = [np.linalg.svd(space.basis[rng.choice(50, 12, replace=False)])[1][-1] for _ in range(20)]
    assert np.linalg.svd(space.basis[found])[1][-1] > np.median(chance)


@given(SEEDS, st.integers(1, 40))
def test_leverage_weights_are_positive_with_mean_square_one(seed: int, count: int) -> None:
    space = tangents(seed)
    rows = choose_rows(space, np.array([0]), count)
    weights = leverage_weights(space, rows, np.random.default_rng(seed).uniform(0.01, 1, 50))
    assert weights.shape == (count,)
    assert (weights > 0).all()
    assert (weights**2).mean() == pytest.approx(1.0)


def test_a_row_of_more_leverage_counts_for_less() -> None:
    space = Tangents(np.array([[0.9, 0.0], [0.3, 0.1], [0.1, 0.9], [0.0, 0.2]]))
    weights = leverage_weights(space, np.arange(4), np.ones(4))
    assert np.argsort(weights).tolist() == np.argsort(-(space.basis**2).sum(axis=1)).tolist()


def test_tangents_are_orthonormal_and_span_every_jacobian_whatever_its_size() -> None:
    rng = np.random.default_rng(0)
    jacobians = rng.normal(size=(3, 40, 2)) * np.array([1e-6, 1.0, 1e6])[:, None, None]
    basis = Tangents.of(jacobians).basis
    np.testing.assert_allclose(basis.T @ basis, np.eye(6), atol=1e-12)
    for jac in jacobians:
        np.testing.assert_allclose(basis @ (basis.T @ jac), jac, atol=1e-12 * np.abs(jac).max())


AXES = st.builds(
    lambda low, span, share, width: Axis(low, low + span, low + share * span, width * span),
    st.floats(-5, 5),
    st.floats(0.1, 10),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from([0.0, 0.012, 0.1, 1.0]),
)


@given(AXES, st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_an_axis_maps_there_and_back_without_leaving(axis: Axis, places: list[float]) -> None:
    s = np.sort(np.array(places))
    x = axis.at(s)
    assert x.min() >= axis.low - 1e-12
    assert x.max() <= axis.high + 1e-12
    assert (np.diff(x) >= 0).all()
    np.testing.assert_allclose(axis.inverse(x), s, atol=1e-9)
    np.testing.assert_allclose(axis.at(np.array([0.0, 1.0])), [axis.low, axis.high], atol=1e-9)
    assert axis.inverse(np.array([axis.low - 1, axis.high + 1])).tolist() == [0.0, 1.0]


@given(AXES, st.floats(0.01, 0.99))
def test_the_slope_is_the_derivative(axis: Axis, s: float) -> None:
    h = 1e-5
    found = (axis.at(np.array([s + h])) - axis.at(np.array([s - h]))) / (2 * h)
    np.testing.assert_allclose(axis.slope(np.array([s])), found, rtol=1e-4, atol=1e-6)


@given(st.lists(AXES, min_size=1, max_size=3))
def test_quadrature_weights_are_shares_of_the_volume(axes: list[Axis]) -> None:
    grid = tensor_grid(axes, [7, 5, 4][: len(axes)])
    volume = np.prod([a.high - a.low for a in axes])
    assert (grid.weights > 0).all()
    assert grid.weights.sum() == pytest.approx(volume)
    assert grid.points.shape == (len(grid.weights), len(axes))
    for i, axis in enumerate(axes):
        assert (np.abs(grid.points[:, i] - (axis.low + axis.high) / 2) <= (axis.high - axis.low) / 2 + 1e-12).all()


@pytest.mark.parametrize("width", [0.0, 0.1, 0.5])
def test_quadrature_is_of_second_order(width: float) -> None:
    axes = [Axis(-1.0, 2.0, 0.3, width), Axis(0.0, 1.0)]
    exact = (np.exp(2) - np.exp(-1)) * (np.sin(1) - np.sin(0))

    def error(n: int) -> float:
        grid = tensor_grid(axes, [n, n])
        return float(abs((np.exp(grid.points[:, 0]) * np.cos(grid.points[:, 1]) * grid.weights).sum() - exact))

    assert error(80) < 1e-2
    assert error(40) / error(80) == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("centre", [0.0, 0.37, 1.0])
def test_an_axis_is_fitted_to_a_layer_and_stays_straight_without_one(centre: float) -> None:
    x = np.random.default_rng(0).uniform(0, 1, 4000)
    layer = fitted_axis(0.0, 1.0, x, np.exp(-(((x - centre) / 0.03) ** 2)))
    assert layer.centre == pytest.approx(centre, abs=0.02)
    assert 0.01 <= layer.width < 0.05
    for even in (np.ones_like(x), np.zeros_like(x)):
        assert fitted_axis(0.0, 1.0, x, even) == Axis(0.0, 1.0)


@given(st.integers(1, 3), st.integers(0, 5), SEEDS)
def test_the_first_guess_is_exact_on_polynomials(columns: int, degree: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    powers = start.exponents(columns, degree)
    assert powers[0] == (0,) * columns
    factors = rng.normal(size=(len(powers), 2))

    def polynomial(s: Array) -> Array:
        return np.asarray(np.stack([np.prod(s ** np.array(e), axis=1) for e in powers], axis=1) @ factors)

    s = rng.uniform(-1, 1, (4 * len(powers) + 10, columns))
    matrix = start.fit(s, polynomial(s), degree)
    fresh = rng.uniform(-1, 1, (20, columns))
    np.testing.assert_allclose(start.features(fresh, degree) @ matrix, polynomial(fresh), atol=1e-8)


@given(st.integers(1, 4), st.integers(1, 300))
def test_the_degree_leaves_three_samples_per_unknown(columns: int, samples: int) -> None:
    degree = start.default_degree(columns, samples)
    most = min(samples // 3, 28)
    assert degree == 0 or len(start.exponents(columns, degree)) <= most
    assert len(start.exponents(columns, degree + 1)) > most


@given(AXES, st.integers(STENCIL, 30), SEEDS)
def test_the_stencil_reproduces_quintics_of_the_mapped_coordinate(axis: Axis, nodes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    quintic = np.polynomial.Polynomial(rng.normal(size=STENCIL))
    x = np.concatenate([axis.at(rng.random(30)), [axis.low, axis.high]])
    first, weights = interpolation_matrix(axis, nodes, x)
    assert first.min() >= 0
    assert first.max() + STENCIL <= nodes
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-10)
    values = quintic(np.arange(nodes) / (nodes - 1))
    found = (weights * values[first[:, None] + np.arange(STENCIL)]).sum(axis=1)
    np.testing.assert_allclose(found, quintic(axis.inverse(x)), atol=1e-9)


@given(AXES, st.integers(STENCIL, 30), st.floats(0, 1))
def test_a_point_lies_in_the_middle_of_its_stencil_except_near_the_ends(axis: Axis, nodes: int, s: float) -> None:
    (first,), _ = interpolation_matrix(axis, nodes, axis.at(np.array([s])))
    place = float(axis.inverse(axis.at(np.array([s])))[0]) * (nodes - 1)
    if 2 <= place <= nodes - 3:
        assert first + 2 - 1e-9 <= place <= first + 3 + 1e-9
    else:
        assert first in (0, nodes - STENCIL)


def test_a_stencil_is_exact_at_its_nodes() -> None:
    nodes = np.arange(STENCIL) - 2.5
    np.testing.assert_allclose(
        np.vander(nodes, STENCIL, increasing=True) @ lagrange_coefficients(), np.eye(6), atol=1e-9
    )


def smooth(seed: int, dimension: int, count: int) -> Any:
    """Basis functions: products of gentle waves and one layer per function."""
    rng = np.random.default_rng(seed)
    waves, phase = rng.uniform(-2, 2, (count, dimension)), rng.uniform(0, 6, count)
    centre, width = rng.uniform(0, 1, count), rng.uniform(0.15, 0.5, count)

    def basis(points: Array) -> Array:
        wave = np.cos(points @ waves.T + phase)
        return np.asarray(wave * np.tanh((points[:, :1] - centre) / width))

    return basis


@given(st.integers(1, 3), SEEDS, st.sampled_from([1e-2, 1e-3]))
@settings(max_examples=12)
def test_a_field_table_is_as_good_as_it_says_on_fresh_points(dimension: int, seed: int, tolerance: float) -> None:
    basis = smooth(seed, dimension, 3)
    rng = np.random.default_rng(seed)
    coefficients = rng.normal(size=(40, 3))
    fitted = [Axis(0.0, 1.0, 0.4, 0.1), Axis(0.0, 1.0), Axis(-1.0, 1.0)][:dimension]
    table, error = build_table(basis, coefficients, fitted, tolerance)
    assert error <= tolerance
    fresh = points_to_test(table.axes, 4000, np.random.default_rng(seed + 1))
    assert fields_error(basis, table, coefficients, fresh) <= 1.1 * tolerance
    stored = table.core.size + sum(f.size for f in table.factors)
    assert table.numbers == stored


def test_a_table_that_cannot_be_good_enough_is_refused() -> None:
    def jump(points: Array) -> Array:
        return np.sign(points[:, :1] - 0.4321)

    with pytest.raises(TrainingError, match=r"axis 0 needs more than 513 nodes"):
        build_table(jump, np.ones((1, 1)), [Axis(0.0, 1.0)], 1e-3)


def test_a_table_evaluates_its_core_and_factors() -> None:
    """Fields of rank one in each axis, exactly representable."""
    x, y = np.linspace(0, 1, 9), np.linspace(-1, 1, 7)
    table = FieldTable((Axis(0.0, 1.0), Axis(-1.0, 1.0)), (x[:, None] ** 2, y[:, None] ** 3), np.array([[[2.0, -1.0]]]))
    points = np.random.default_rng(0).uniform([0, -1], [1, 1], (20, 2))
    expected = points[:, 0] ** 2 * points[:, 1] ** 3
    np.testing.assert_allclose(table.basis(points), expected[:, None] * [2.0, -1.0], atol=1e-12)


@given(st.integers(1, 3), SEEDS)
def test_test_points_stay_in_the_box_and_hold_its_corners(dimension: int, seed: int) -> None:
    axes = [Axis(0.0, 1.0, 0.4, 0.1), Axis(0.0, 1.0), Axis(-1.0, 1.0, -1.0, 0.02)][:dimension]
    points = points_to_test(axes, 100, np.random.default_rng(seed))
    for i, axis in enumerate(axes):
        assert points[:, i].min() == axis.low
        assert points[:, i].max() == axis.high
    assert len(points) == 100 + 2**dimension


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("columns", [1, 2, 3, 7])
def test_candidates_fill_the_box_on_its_scales(columns: int, scale: str) -> None:
    stated = problem(columns, scale)
    found = candidates(stated)
    assert found.shape[1] == columns
    assert len(np.unique(found, axis=0)) == len(found)
    assert ((found >= 0.01) & (found <= 2.0)).all()
    assert np.array_equal(found, candidates(stated))
    s = stated.scaled(found)
    np.testing.assert_allclose([s.min(axis=0), s.max(axis=0)], [[-1.0] * columns, [1.0] * columns], atol=1e-9)
    rng = np.random.default_rng(0)
    fresh = rng.uniform(-1, 1, (200, min(columns, 3)))
    distance = np.linalg.norm(fresh[:, None] - s[None, :, : min(columns, 3)], axis=2).min(axis=1)
    assert distance.max() < {1: 0.016, 2: 0.12, 3: 0.55, 7: 0.55}[columns]
    if columns <= 3:
        corners = {tuple(np.sign(c)) for c in s if np.abs(np.abs(c) - 1).max() < 1e-9}
        assert len(corners) == 2**columns


@given(st.integers(1, 3), SEEDS)
def test_the_nearest_is_the_nearest_on_the_problems_scales(columns: int, seed: int) -> None:
    stated = problem(columns, "log")
    rng = np.random.default_rng(seed)
    known, to = (stated.unscaled(rng.uniform(-1, 1, (n, columns))) for n in (5, 9))
    found = nearest(stated, known, to)
    distance = np.linalg.norm(np.log(to)[:, None] - np.log(known)[None], axis=2)
    np.testing.assert_array_equal(found, distance.argmin(axis=1))
