"""The online stage: module, exported graph and reduced model say the same, and say when they cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from edgepde_export.lowering.graph import to_onnx
from edgepde_export.lowering.prepare import prepare
from edgepde_runtime.backends.reference import load
from edgepde_runtime.box import Box
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgepde.problems.problem import Problem, Term
from edgepde.s2gpt import start
from edgepde.s2gpt.assemble import validation_rows
from edgepde.s2gpt.field_table import FieldTable
from edgepde.s2gpt.grid import Axis
from edgepde.s2gpt.online import Coefficients, Field, Online, Start

from .conftest import TABLE_TOLERANCE, Tiny

Array = NDArray[Any]
SINGLE = 3e-6  # float32 interpolation of fields of size 1


@pytest.fixture(scope="module")
def online(tiny: Tiny) -> Online:
    return Online(tiny.model, tiny.table).eval()


@pytest.fixture(scope="module")
def graph(online: Online) -> bytes:
    examples = {"parameters": torch.full((2, 1), 0.5).double(), "points": torch.full((3, 2), 0.5)}
    found = to_onnx(online, examples, {"parameters": {0: "B"}, "points": {0: "M"}}, ["u", "residual"])
    return bytes(prepare(found, lambda _: None).SerializeToString())


def queries(tiny: Tiny, count: int = 5, points: int = 300, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    box = tiny.problem.coordinates
    mu = tiny.problem.unscaled(rng.uniform(-1, 1, (count, 1)))
    return mu, rng.uniform(box.low, box.high, (points, 2)).astype(np.float32)


def run(online: Online, mu: Array, points: Array) -> tuple[Array, Array]:
    with torch.no_grad():
        u, residual = online(torch.from_numpy(mu), torch.from_numpy(points))
    return u.numpy(), residual.numpy()


def test_the_module_is_the_reduced_model_up_to_the_tables_error(tiny: Tiny, online: Online) -> None:
    mu, points = queries(tiny)
    u, residual = run(online, mu, points)
    coefficients, converged = tiny.model.solve(mu)
    expected = tiny.model.field(mu, points.astype(np.float64))
    assert converged.all()
    assert (u.dtype, residual.dtype) == (np.float32, np.float64)
    assert np.abs(u - expected).max() <= TABLE_TOLERANCE + SINGLE
    np.testing.assert_allclose(residual, tiny.model.residual(mu, coefficients), rtol=1e-6)


def test_the_model_is_near_the_exact_solution(tiny: Tiny) -> None:
    mu, points = queries(tiny)
    assert tiny.problem.reference is not None
    exact = tiny.problem.reference(mu, points.astype(np.float64))
    assert np.abs(tiny.model.field(mu, points.astype(np.float64)) - exact).max() < 5e-3


@pytest.mark.parametrize("backend", ["ort", "reference"])
@pytest.mark.parametrize(("count", "points"), [(1, 1), (1, 40), (5, 7)])
def test_the_exported_graph_is_the_module(
    tiny: Tiny, online: Online, graph: bytes, backend: str, count: int, points: int
) -> None:
    mu, where = queries(tiny, count, points)
    expected, expected_residual = run(online, mu, where)
    named = {"parameters": mu, "points": where}
    if backend == "ort":
        u, residual = onnxruntime.InferenceSession(graph).run(["u", "residual"], named)
    else:
        found = load(graph).run(named)
        u, residual = found["u"], found["residual"]
    assert np.abs(u - expected).max() <= SINGLE
    np.testing.assert_allclose(residual, expected_residual, rtol=1e-4)  # each solve stops within its own tolerance


def test_the_graph_too_says_what_it_cannot_solve(graph: bytes) -> None:
    mu, where = np.array([[0.5], [np.nan], [0.5]]), np.zeros((2, 2), np.float32)
    for found in (
        onnxruntime.InferenceSession(graph).run(["residual"], {"parameters": mu, "points": where})[0],
        load(graph).run({"parameters": mu, "points": where})["residual"],
    ):
        assert np.isfinite(found).tolist() == [True, False, True]
        assert found[1] == np.inf


def test_a_truncated_model_is_the_beginning_of_the_whole(tiny: Tiny) -> None:
    whole, points = tiny.model, np.random.default_rng(0).random((50, 2))
    for size in range(1, whole.size + 1):
        part = whole.truncated(size)
        assert part.size == size
        np.testing.assert_allclose(part.basis(points), whole.basis(points)[:, :size], atol=1e-12)
        np.testing.assert_array_equal(part.rows.points, whole.rows.points)
        np.testing.assert_array_equal(part.start_matrix, whole.start_matrix[:, :size])
        np.testing.assert_array_equal(part.parameters, whole.parameters[:size])
        assert part.solve(tiny.over)[1].all()
    again = whole.truncated(3).truncated(2)
    np.testing.assert_array_equal(again.transform, whole.truncated(2).transform)


def test_errors_fall_as_functions_are_added(tiny: Tiny) -> None:
    residuals = []
    for size in range(1, tiny.model.size + 1):
        part = tiny.model.truncated(size)
        residuals.append(part.residual(tiny.over, part.solve(tiny.over)[0]).max())
    assert residuals[-1] < 0.1 * residuals[0]


@pytest.mark.parametrize("nu", [1e-6, 1e-3, 0.05, 5.0, 1e3, 1e9, 0.0, -1.0, np.nan, np.inf, -np.inf])
def test_outside_the_box_it_converges_or_says_infinity(tiny: Tiny, online: Online, nu: float) -> None:
    """And a neighbour inside the box does not notice."""
    points = queries(tiny)[1]
    u, residual = run(online, np.array([[0.5], [nu]]), points)
    alone_u, alone = run(online, np.array([[0.5]]), points)
    assert residual[1] >= 0.0
    assert np.isfinite(u[1]).all() or residual[1] == np.inf
    if not np.isfinite(nu):
        assert residual[1] == np.inf
    np.testing.assert_allclose(residual[0], alone[0], rtol=1e-9)
    assert np.abs(u[0] - alone_u[0]).max() <= SINGLE


def test_the_residual_responds_to_leaving_the_box_and_to_wrong_coefficients(tiny: Tiny, online: Online) -> None:
    points = np.zeros((1, 2), np.float32)
    inside = run(online, tiny.over, points)[1]
    outside = run(online, np.array([[0.02], [0.005]]), points)[1]
    assert outside.min() > 10 * inside.max()
    coefficients, _ = tiny.model.solve(tiny.over)
    assert (tiny.model.residual(tiny.over, coefficients + 0.05) > 3 * inside).all()


def test_an_unconverged_row_is_infinite_in_the_module_and_nan_in_the_model(
    tiny: Tiny, online: Online, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgepde_runtime.ops.gauss_newton_solve import reference

    real = reference.run

    def failing(*args: Any) -> Any:
        solution, done = real(*args)
        return solution, done & (np.arange(len(done)) != 1)

    monkeypatch.setattr(reference, "run", failing)
    mu, points = queries(tiny, count=3)
    assert np.isinf(run(online, mu, points)[1]).tolist() == [False, True, False]
    assert np.isnan(tiny.model.field(mu, points.astype(np.float64))).any(axis=1).tolist() == [False, True, False]


def test_validation_rows_are_none_of_the_solvers(tiny: Tiny) -> None:
    used = {tuple(p) for p in tiny.model.rows.points}
    unseen = {tuple(p) for p in tiny.model.validation.points}
    assert not used & unseen
    assert len(unseen) == len(tiny.model.validation.points) >= 32
    on_grid = {tuple(p) for p in tiny.grid.points}
    assert used <= on_grid
    assert unseen <= on_grid


def test_validation_rows_avoid_the_solvers_however_many_are_asked(tiny: Tiny) -> None:
    used = np.random.default_rng(0).choice(len(tiny.grid.points), 150, replace=False)
    rows = validation_rows(tiny.grid, tiny.sweep.rows, used, len(tiny.grid.points) - 150, seed=3)
    free = np.delete(np.arange(len(tiny.grid.points)), used)
    assert {tuple(p) for p in rows.points} == {tuple(p) for p in tiny.grid.points[free]}


def test_the_solver_sees_the_interpolation_points_first(tiny: Tiny) -> None:
    found = tiny.model.rows.points
    assert len({tuple(p) for p in found}) == len(found) == tiny.trials[-1].rows
    expected = tiny.grid.points[tiny.sweep.basis.indices]
    np.testing.assert_array_equal(found[: len(expected)], expected)
    assert len(found) >= 2 * tiny.model.size - 1


def test_rows_are_tabulated_at_their_points(tiny: Tiny) -> None:
    for rows in (tiny.model.rows, tiny.model.validation):
        u = rows.basis[tiny.problem.factors.index("u")]
        np.testing.assert_allclose(u, tiny.model.basis(rows.points), atol=1e-10)


def test_the_output_is_exactly_odd(tiny: Tiny, online: Online, graph: bytes) -> None:
    mu, points = queries(tiny)
    points[0, 0] = 0.0
    mirrored = points * np.array([-1, 1], np.float32)
    session = onnxruntime.InferenceSession(graph)
    for call in (
        lambda x: run(online, mu, x)[0],
        lambda x: session.run(["u"], {"parameters": mu, "points": x})[0],
        lambda x: tiny.model.field(mu, x.astype(np.float64)),
    ):
        u = call(points)
        np.testing.assert_array_equal(u, -call(mirrored))
        assert not u[:, 0].any()


def test_the_boundary_and_initial_values_are_met(tiny: Tiny, online: Online) -> None:
    mu, _ = queries(tiny)
    s = np.linspace(-1, 1, 41)
    start_points = np.stack([s, np.zeros(41)], axis=1).astype(np.float32)
    assert np.abs(run(online, mu, start_points)[0] + np.sin(np.pi * s)).max() <= SINGLE
    for side in (-1.0, 1.0):
        edge = np.stack([np.full(41, side), (s + 1) / 2], axis=1).astype(np.float32)
        assert np.abs(run(online, mu, edge)[0]).max() <= SINGLE


def test_a_batch_is_its_rows_one_by_one(tiny: Tiny, online: Online) -> None:
    mu, points = queries(tiny)
    u, residual = run(online, mu, points)
    for b in range(len(mu)):
        alone, own = run(online, mu[b : b + 1], points)
        assert np.abs(alone[0] - u[b]).max() <= SINGLE
        np.testing.assert_allclose(own[0], residual[b], rtol=1e-6)
    for m in range(0, len(points), 60):
        assert np.abs(run(online, mu, points[m : m + 1])[0][:, 0] - u[:, m]).max() <= SINGLE


def test_the_first_guess_is_the_polynomial_of_training(tiny: Tiny) -> None:
    mu = np.concatenate([queries(tiny, 20)[0], [[1e-3], [50.0]]])
    expected = start.features(tiny.problem.scaled(mu), tiny.model.start_degree) @ tiny.model.start_matrix
    np.testing.assert_allclose(Start(tiny.model)(torch.from_numpy(mu)).numpy(), expected, atol=1e-10)
    solved, _ = tiny.model.solve(mu[:20])
    assert np.abs(expected[:20] - solved).max() < 1e-3


def test_coefficients_are_the_reduced_models(tiny: Tiny) -> None:
    mu, _ = queries(tiny, 20)
    with torch.no_grad():
        found, _ = Coefficients(tiny.model)(torch.from_numpy(mu))
    np.testing.assert_allclose(found.numpy(), tiny.model.solve(mu)[0], atol=1e-8)


def toy(odd: tuple[str, ...], dimension: int) -> Problem:
    names = ["x", "y", "t"][:dimension]
    return Problem(
        name="toy",
        coordinates=Box([-1.0 if n in odd else 0.0 for n in names], [1.0] * dimension, names),
        parameters=Box([0.5], [2.0], ["a"]),
        terms=(Term(lambda c, p: torch.ones_like(c["x"]), ("u",)),),
        lift=lambda c, p: c["x"] * p["a"] * (c["y"] if "y" in odd else 1.0),
        mask=lambda c: c["x"],
        odd=odd,
    )


@given(
    st.sampled_from([(), ("x",), ("x", "y")]),
    st.integers(1, 3),
    st.integers(0, 2**31),
    st.sampled_from([0.0, 0.05, 0.5]),
)
@settings(max_examples=40)
def test_the_field_is_the_table_in_single_precision(
    odd: tuple[str, ...], dimension: int, seed: int, width: float
) -> None:
    """In one, two and three coordinates, odd in none, one or two of them."""
    odd = odd[:dimension]
    problem, rng = toy(odd, dimension), np.random.default_rng(seed)
    axes = tuple(Axis(0.0, 1.0, 0.3, width if i == 0 else 0.0) for i in range(dimension))
    nodes, ranks = [9, 7, 6][:dimension], [3, 2, 2][:dimension]
    factors = tuple(rng.normal(size=shape) for shape in zip(nodes, ranks, strict=True))
    table = FieldTable(axes, factors, rng.normal(size=(*ranks, 4)))
    coefficients, mu = rng.normal(size=(2, 4)), np.array([[0.7], [1.9]])
    box = problem.coordinates
    points = rng.uniform(box.low, box.high, (30, dimension)).astype(np.float32)
    points[0], points[1] = box.low, box.high
    given_ = (torch.from_numpy(coefficients), torch.from_numpy(mu), torch.from_numpy(points))
    found = Field(problem, table)(*given_).numpy()
    columns = [box.names.index(n) for n in odd]
    sign = np.sign(points[:, columns]).prod(axis=1)
    folded = points.astype(np.float64)
    folded[:, columns] = np.abs(folded[:, columns])
    values = table.basis(folded)
    lift = folded[:, 0] * (folded[:, 1] if "y" in odd else 1.0) * mu
    expected = sign * (coefficients @ values.T + lift)
    size = (
        np.abs(coefficients)
        @ np.abs(table.core).reshape(-1, 4).sum(axis=0)
        * np.prod([np.abs(f).max() for f in factors])
    )
    assert np.abs(found - expected).max() <= 1e-4 * (1.0 + size.max())
