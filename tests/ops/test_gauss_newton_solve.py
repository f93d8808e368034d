"""What gauss_newton_solve promises: it solves what can be solved, and says when it did not."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.ops.gauss_newton_solve import OP, reference
from edgepde_runtime.rooms import Room
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from support.onnx_writer import graph, model, node, value_info
from support.polynomial_systems import BURGERS, CUBIC, LINEAR, Array, Planted, planted
from support.rooms import cases_module, tolerance, with_body

ROOM = Room(OP.name)
CASES = cases_module(ROOM)
SEEDS = st.integers(0, 2**32 - 1)
TERMS = st.sampled_from([LINEAR, BURGERS, CUBIC])


@st.composite
def systems(draw: st.DrawFn, **fixed: Any) -> Planted:
    """Planted systems of a few unknowns and at least twice as many rows, hence mostly well conditioned."""
    unknowns = draw(st.integers(1, 5))
    sizes = {
        "rows": draw(st.integers(2 * unknowns, 4 * unknowns + 2)),
        "unknowns": unknowns,
        "batch": draw(st.integers(1, 3)),
        "constraints": draw(st.integers(0, 2)),
    }
    return planted(draw(SEEDS), draw(TERMS), **(sizes | fixed))


def run(inputs: list[Any], **attributes: Any) -> tuple[Array, NDArray[np.bool_]]:
    solution, converged = ROOM.run(inputs, attributes)
    return solution, converged


def parts(inputs: list[Any], c: Array) -> tuple[Array, Array]:
    """Stacked residual [B, R + C] and its Jacobian [B, R + C, N] at c."""
    lift, basis, coefficients, weights, _, terms, matrix, target = inputs
    with np.errstate(all="ignore"):
        values = reference.factor_values(lift, basis, c)
        r = reference.residual(values, coefficients, weights, terms)
        jac = reference.jacobian(values, basis, coefficients, weights, terms)
        below = np.broadcast_to(matrix, (len(c), *matrix.shape))
        return np.concatenate([r, c @ matrix.T - target], axis=1), np.concatenate([jac, below], axis=1)


def cost(inputs: list[Any], c: Array) -> Array:
    return np.asarray((parts(inputs, c)[0] ** 2).sum(axis=1))


def condition(inputs: list[Any], c: Array) -> float:
    _, jac = parts(inputs, c)
    return float(np.linalg.cond(jac / np.linalg.norm(jac, axis=1, keepdims=True)).max())


@given(systems(distance=0.0))
def test_a_root_is_found_from_nearby(system: Planted) -> None:
    assume(condition(system.inputs, system.root) < 30)
    rng = np.random.default_rng(0)
    system.inputs[4] = system.root + 0.003 * rng.uniform(-1, 1, system.root.shape)
    solution, converged = run(system.inputs)
    assert converged.all()
    assert (np.abs(solution - system.root) <= tolerance(ROOM, system.inputs, {}, solution)).all()


@given(systems(distance=3.0, noise=0.5, spread=1.0))
def test_the_cost_never_exceeds_the_starts(system: Planted) -> None:
    for iterations in (0, 1, 3, 20):
        solution, _ = run(system.inputs, max_iterations=iterations)
        assert (cost(system.inputs, solution) <= cost(system.inputs, system.inputs[4]) * (1 + 1e-12)).all()


@given(systems(distance=3.0, noise=0.5, spread=1.0), st.sampled_from([1e-9, 1e-6]))
def test_converged_means_a_small_gradient(system: Planted, stop: float) -> None:
    """|g_i| <= |J_i| sum_j |J_j| |d_j| where the last step d started, its size bounded by the tolerance."""
    solution, converged = run(system.inputs, tolerance=stop)
    r, jac = parts(system.inputs, solution)
    gradient = np.abs(np.einsum("brn,br->bn", jac, r))
    size = np.linalg.norm(jac, axis=1)
    step = stop * (1 + np.abs(solution).max(axis=1, keepdims=True))
    allowed = size * (2 * size.sum(axis=1, keepdims=True) * step + 1e-12 * np.linalg.norm(r, axis=1)[:, None])
    assert (gradient <= allowed)[converged].all()


@given(systems(noise=1e-3), SEEDS)
def test_the_order_of_rows_does_not_matter(system: Planted, seed: int) -> None:
    lift, basis, coefficients, weights, *rest = system.inputs
    order = np.random.default_rng(seed).permutation(lift.shape[2])
    shuffled = [lift[:, :, order], basis[:, order], coefficients[:, :, order], weights[:, order], *rest]
    same_answer(system.inputs, shuffled)


@given(systems(noise=1e-3), st.floats(1e-3, 1e3))
def test_a_common_factor_of_all_weights_does_not_matter(system: Planted, factor: float) -> None:
    lift, basis, coefficients, weights, start, terms, matrix, target = system.inputs
    scaled = [lift, basis, coefficients, factor * weights, start, terms, factor * matrix, factor * target]
    same_answer(system.inputs, scaled)


def same_answer(one: list[Any], other: list[Any]) -> None:
    """Both converge to the same solution, up to the bound of both; for systems with one solution."""
    assume(condition(one, one[4]) < 30)
    (x, x_done), (y, y_done) = run(one), run(other)
    assume(x_done.all())
    assert y_done.all()
    assert (np.abs(x - y) <= 2 * tolerance(ROOM, one, {}, x)).all()


@given(systems(distance=0.3, noise=1e-3, batch=3))
def test_members_of_a_batch_do_not_meet(system: Planted) -> None:
    lift, basis, coefficients, weights, start, terms, matrix, target = system.inputs
    solution, converged = run(system.inputs)
    for b in range(3):
        one = slice(b, b + 1)
        alone = [lift[one], basis, coefficients[one], weights[one], start[one], terms, matrix, target[one]]
        single, done = run(alone)
        assert done[0] == converged[b]
        if done[0]:
            assert (np.abs(single[0] - solution[b]) <= 2 * tolerance(ROOM, alone, {}, single)).all()


def test_nan_in_one_member_leaves_the_others_as_they_are() -> None:
    clean = planted(19, BURGERS, rows=12, unknowns=3, batch=3, constraints=1).inputs
    expected, _ = run(clean)
    for number in (0, 2, 3, 4, 7):
        solution, converged = run(CASES.spoilt(number, np.nan))
        assert converged.tolist() == [True, False, True]
        np.testing.assert_array_equal(solution[[0, 2]], expected[[0, 2]])


@given(systems(distance=1.0, noise=0.1, spread=1.0).filter(lambda s: s.inputs[5].shape[1] == 1))
def test_a_linear_system_is_solved_as_numpy_solves_it(system: Planted) -> None:
    solution, converged = run(system.inputs)
    assume(condition(system.inputs, system.root) < 1e3)
    assert converged.all()
    r, jac = parts(system.inputs, np.zeros_like(solution))
    for b in range(len(solution)):
        expected = np.linalg.lstsq(jac[b], -r[b], rcond=None)[0]
        assert (np.abs(solution[b] - expected) <= tolerance(ROOM, system.inputs, {}, solution)[b]).all()


@given(systems(noise=0.05, distance=0.02, constraints=0))
@settings(max_examples=25)
def test_scipy_finds_the_same_minimum(system: Planted) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    assume(condition(system.inputs, system.root) < 10)
    solution, converged = run(system.inputs)
    first = [x[:1] if i in (0, 2, 3, 4, 7) else x for i, x in enumerate(system.inputs)]
    assume(converged[0])
    found = optimize.least_squares(
        lambda c: parts(first, c[None])[0][0],
        first[4][0],
        lambda c: parts(first, c[None])[1][0],
        xtol=1e-14,
        gtol=1e-14,
    )
    assert np.abs(found.x - solution[0]).max() < 1e-6


@given(SEEDS, TERMS)
def test_the_jacobian_is_the_residuals(seed: int, terms: list[list[int]]) -> None:
    """Against a complex step, which has no cancellation; repeated factors and padded terms included."""
    system = planted(seed, terms, rows=4, unknowns=3)
    lift, basis, coefficients, weights, start, table, *_ = system.inputs
    jac = reference.jacobian(reference.factor_values(lift, basis, start), basis, coefficients, weights, table)
    for n in range(3):
        c = start + 1e-30j * (np.arange(3) == n)
        values = np.concatenate([lift + np.einsum("frn,bn->bfr", basis, c), np.ones((1, 1, 4))], axis=1)
        r = reference.residual(values, coefficients, weights, table)
        np.testing.assert_allclose(jac[:, :, n], r.imag / 1e-30, rtol=1e-12, atol=1e-12)


def test_without_iterations_the_start_comes_back_unconverged() -> None:
    system = planted(0, BURGERS, rows=12, unknowns=3, batch=2, distance=0.0)
    solution, converged = run(system.inputs, max_iterations=0)
    np.testing.assert_array_equal(solution, system.inputs[4])
    assert not converged.any()


@pytest.mark.parametrize("steepness", [1.0, 1e8])
@pytest.mark.parametrize("iterations", [1, 20, 200])
def test_heavily_damped_steps_towards_a_singular_minimum_are_not_convergence(iterations: int, steepness: float) -> None:
    solution, converged = run(CASES.no_root(steepness), max_iterations=iterations)
    assert not converged.any()
    assert np.isfinite(solution).all()


@given(SEEDS, st.integers(1, 4))
def test_iterations_that_run_out_are_not_convergence(seed: int, iterations: int) -> None:
    """At the limit `converged` is either true of the gradient or false; more iterations never turn true to false."""
    system = planted(seed, BURGERS, rows=12, unknowns=3, distance=1.0)
    before = run(system.inputs, max_iterations=iterations)[1]
    after = run(system.inputs, max_iterations=iterations + 5)[1]
    assert (after | ~before).all()


@pytest.mark.parametrize("name", ["zero_column", "equal_columns"])
def test_where_the_solution_is_not_unique_the_cost_still_is(name: str) -> None:
    inputs = getattr(CASES, name)().inputs
    solution, _ = run(inputs, max_iterations=60)
    r, jac = parts(inputs, solution)
    least = np.linalg.lstsq(jac[0], -r[0], rcond=1e-10)[0]
    assert cost(inputs, solution)[0] <= ((r[0] + jac[0] @ least) ** 2).sum() * (1 + 1e-12) + 1e-24
    if name == "zero_column":
        assert solution[0, 1] == inputs[4][0, 1]


FLOATS = st.one_of(
    st.floats(-10, 10),
    st.sampled_from([0.0, np.nan, np.inf, -np.inf, 1e300, -1e200, 1e-300, 5e-324]),
)


@st.composite
def rough(draw: st.DrawFn) -> list[Any]:
    """Anything that fits the shapes, with NaN, infinities and numbers whose squares overflow."""
    b, f, r, n, t, k, c = (draw(st.integers(1, 3)) for _ in range(7))
    shapes = [(b, f, r), (f, r, n), (b, t, r), (b, r), (b, n)]
    first = [draw(arrays(np.float64, shape, elements=FLOATS)) for shape in shapes]
    terms = draw(arrays(np.int64, (t, k), elements=st.integers(0, f)))
    return [
        *first,
        terms,
        draw(arrays(np.float64, (c, n), elements=FLOATS)),
        draw(arrays(np.float64, (b, c), elements=FLOATS)),
    ]


def never_silently_wrong(inputs: list[Any], solution: Array, converged: NDArray[np.bool_]) -> None:
    assert np.isfinite(solution[converged]).all()
    with np.errstate(all="ignore"):
        before, after = cost(inputs, inputs[4]), cost(inputs, solution)
    assert np.isfinite(after[converged]).all()
    assert (after <= before * (1 + 1e-12))[converged].all()


@given(rough())
@settings(max_examples=200)
def test_rough_numbers_never_converge_to_what_is_not_finite(inputs: list[Any]) -> None:
    never_silently_wrong(inputs, *run(inputs))


@functools.cache
def session(**attributes: Any) -> Any:
    """The function body in ONNX Runtime, all sizes free."""
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    names = [a.name for a in OP.inputs], [a.name for a in OP.outputs]
    only = node(OP.name, *names, attributes, name="only", domain=OP.domain)
    declared = [[value_info(a.name, a.element, a.shape or ()) for a in part] for part in (OP.inputs, OP.outputs)]
    encoded = model(graph([only], *declared), opsets={"": 20, OP.domain: 1})
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(with_body(encoded, ROOM).SerializeToString(), options)


def in_onnxruntime(inputs: list[Any], **attributes: Any) -> tuple[Array, NDArray[np.bool_]]:
    named = {a.name: x for a, x in zip(OP.inputs, inputs, strict=True)}
    solution, converged = session(**attributes).run(None, named)
    return solution, converged


@given(systems(distance=0.1, noise=1e-3))
def test_the_body_agrees_with_the_reference(system: Planted) -> None:
    assume(condition(system.inputs, system.root) < 30)
    expected, done = run(system.inputs)
    solution, converged = in_onnxruntime(system.inputs)
    assert (converged == done).all()
    scale = 1 + np.abs(expected).max(axis=1, keepdims=True)
    assert (np.abs(solution - expected) <= 1e-8 * scale)[done].all()


@given(rough())
@settings(max_examples=200)
def test_the_body_is_never_silently_wrong_either(inputs: list[Any]) -> None:
    never_silently_wrong(inputs, *in_onnxruntime(inputs))


def test_the_bodys_attributes_are_heard_and_have_the_schemas_defaults() -> None:
    inputs = planted(3, BURGERS, rows=12, unknowns=4, distance=0.3).inputs
    defaults = {a.name: a.default for a in OP.attributes}
    np.testing.assert_array_equal(in_onnxruntime(inputs)[0], in_onnxruntime(inputs, **defaults)[0])
    assert not in_onnxruntime(inputs, max_iterations=1)[1].any()
    assert in_onnxruntime(inputs, max_iterations=2, tolerance=10.0)[1].all()


def test_an_unknown_that_moves_nothing_is_not_converged() -> None:
    """c^2 - 1 = 0 from c = 0 is stationary, a maximum of the cost: an answer there would be silently wrong."""
    from edgepde_runtime.ops.gauss_newton_solve import reference

    def one(value: float, *shape: int) -> np.ndarray:
        return np.full(shape, value)

    terms = np.array([[0, 0], [1, 1]])
    inputs = [one(0.0, 1, 1, 1), one(1.0, 1, 1, 1), np.array([[[1.0], [-1.0]]]), one(1.0, 1, 1), one(0.0, 1, 1), terms]
    solution, converged = reference.run([*inputs, np.zeros((0, 1)), np.zeros((1, 0))], {})
    assert not converged.any()
    inputs[4] = one(0.3, 1, 1)
    solution, converged = reference.run([*inputs, np.zeros((0, 1)), np.zeros((1, 0))], {})
    assert converged.all()
    np.testing.assert_allclose(solution, 1.0, rtol=1e-9)


@pytest.mark.parametrize("bad", [-1, 2])
def test_a_factor_number_that_is_none_is_refused(bad: int) -> None:
    from edgepde_runtime.errors import ModelFileError
    from edgepde_runtime.ops.gauss_newton_solve import reference

    ones = np.ones((1, 1, 1))
    inputs = [ones, ones, ones, ones[0], ones[0], np.array([[bad]]), np.zeros((0, 1)), np.zeros((1, 0))]
    with pytest.raises(ModelFileError, match="expected factor numbers 0 to 1"):
        reference.run(inputs, {})
