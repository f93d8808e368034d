"""Heat conduction on triangles: what the solution operator must satisfy, and how far it is from exact solutions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgepde.errors import ProblemError
from edgepde.problems.diffusion import WATTS, Diffusion, changed, discretisation_error, two_materials
from edgepde.problems.mesh import HOLE, INCLUSION, SIDE, Disk, Mesh, plate

Array = NDArray[np.float64]
PLATE = plate(200)
PROBLEM = Diffusion(PLATE, two_materials(PLATE))
OPERATOR = PROBLEM.operator()
N = len(PROBLEM.points)


def exact(points: torch.Tensor) -> torch.Tensor:
    """A temperature that vanishes on the rim and around the hole."""
    x, y = points.T / SIDE
    around = ((points[:, 0] - HOLE.x) ** 2 + (points[:, 1] - HOLE.y) ** 2 - HOLE.radius**2) / SIDE**2
    return torch.sin(math.pi * x) * torch.sin(2 * math.pi * y) * around


def smooth_k(points: torch.Tensor) -> torch.Tensor:
    x, y = 2 * math.pi * points.T / SIDE
    return 200.0 * (1.0 + torch.sin(x) * torch.sin(y) / 3.0)


def source(points: Array) -> Array:
    """f = -div(k grad u) of the exact temperature in MW/m^3, by differentiating twice."""
    x = torch.from_numpy(points).requires_grad_()
    (slope,) = torch.autograd.grad(exact(x).sum(), x, create_graph=True)
    flux = smooth_k(x)[:, None] * slope
    bends = [torch.autograd.grad(flux[:, i].sum(), x, retain_graph=True)[0][:, i] for i in range(2)]
    return -(bends[0] + bends[1]).detach().numpy() / WATTS


def manufactured_error(nodes: int) -> tuple[float, float]:
    """The mean triangle's size and the relative error of u_h in the mass norm."""
    mesh = plate(nodes)
    problem = Diffusion(mesh, smooth_k(torch.from_numpy(mesh.centres)).numpy())
    wanted = exact(torch.from_numpy(problem.points)).numpy()
    error = problem.solve(source(problem.points)) - wanted
    return math.sqrt(np.abs(mesh.areas).mean()), math.sqrt(
        (error @ problem.mass @ error) / (wanted @ problem.mass @ wanted)
    )


def test_it_converges_to_a_manufactured_solution_with_second_order() -> None:
    found = [manufactured_error(nodes) for nodes in (150, 600, 2400)]
    size, error = np.log(np.array(found)).T
    order = (error[0] - error[-1]) / (size[0] - size[-1])
    assert 1.7 < order < 2.4
    assert found[-1][1] < 1e-2


def test_the_operator_is_what_solving_gives_and_solves_the_equations() -> None:
    f = np.random.default_rng(0).uniform(-1, 1, (N, 3))
    np.testing.assert_allclose(OPERATOR @ f, PROBLEM.solve(f), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(PROBLEM.stiffness @ (OPERATOR @ f), WATTS * PROBLEM.mass @ f, rtol=1e-9, atol=1e-9)


def test_it_is_self_adjoint_and_positive_in_the_mass_norm() -> None:
    energy = PROBLEM.mass @ OPERATOR
    np.testing.assert_allclose(energy, energy.T, rtol=1e-9, atol=1e-9 * np.abs(energy).max())
    assert np.linalg.eigvalsh((energy + energy.T) / 2).min() > 0


def test_heating_cools_nowhere() -> None:
    """The discrete maximum principle, for a Delaunay mesh and one conductivity."""
    plain = Diffusion(PLATE, np.full(len(PLATE.triangles), 200.0)).operator()
    assert plain.min() >= -1e-15
    assert plain.sum(axis=1).min() > 0


@given(st.integers(0, 2**32 - 1), st.floats(1.01, 50.0))
@settings(max_examples=20, deadline=None)
def test_a_better_conductor_stores_less_energy(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    f = rng.uniform(-1, 1, N)
    better = np.where(rng.random(len(PROBLEM.k)) < 0.1, factor, 1.0) * PROBLEM.k
    before, after = (f @ (p.mass @ p.solve(f)) for p in (PROBLEM, PROBLEM.with_k(better)))
    assert after <= before * (1 + 1e-12)


@given(st.floats(1e-3, 1e3))
@settings(max_examples=10, deadline=None)
def test_the_temperature_goes_as_one_over_the_conductivity(factor: float) -> None:
    f = np.ones(N)
    np.testing.assert_allclose(PROBLEM.with_k(factor * PROBLEM.k).solve(f), PROBLEM.solve(f) / factor, rtol=1e-9)


def test_a_local_change_is_felt_less_far_away() -> None:
    where = Disk(0.02, 0.085, 0.01)
    k = changed(PLATE, PROBLEM.k, where, 3.0)
    touched = where.distance(PLATE.centres) < 0
    assert np.array_equal(k[touched], 3.0 * PROBLEM.k[touched])
    assert np.array_equal(k[~touched], PROBLEM.k[~touched])
    change = np.abs(PROBLEM.with_k(k).operator() - OPERATOR)
    far = where.distance(PROBLEM.points) > 0.05
    assert change[~far][:, ~far].max() > 20 * change[far][:, far].max() > 0


def test_the_plate_is_a_plate() -> None:
    assert N >= 200
    assert np.abs(PLATE.areas).sum() == pytest.approx(SIDE**2 - math.pi * HOLE.radius**2, rel=0.02)
    assert (PLATE.areas != 0).all()
    assert HOLE.distance(PROBLEM.points).min() > 0
    inside = INCLUSION.distance(PLATE.points)[PLATE.triangles]
    crossing = (inside.min(axis=1) < -1e-6) & (inside.max(axis=1) > 1e-6)
    assert not crossing.any()
    assert set(np.unique(PROBLEM.k[INCLUSION.distance(PLATE.centres) < 0])) == {20.0}
    assert np.array_equal(plate(200).points, PLATE.points)
    assert not np.array_equal(plate(200, seed=1).points[-5:], PLATE.points[-5:])


def test_refining_keeps_the_problem() -> None:
    fine = PROBLEM.refined()
    assert np.array_equal(fine.mesh.points[: len(PLATE.points)], PLATE.points)
    assert np.abs(fine.mesh.areas).sum() == pytest.approx(np.abs(PLATE.areas).sum())
    assert (np.abs(fine.mesh.areas) * fine.k).sum() == pytest.approx((np.abs(PLATE.areas) * PROBLEM.k).sum())
    assert np.abs(fine.mesh.areas)[fine.k == 20.0].sum() == pytest.approx(np.abs(PLATE.areas)[PROBLEM.k == 20.0].sum())


def test_no_source_has_a_larger_error_than_stated() -> None:
    """Against the mesh refined twice; the statement is an extrapolation, so a fifth more is allowed."""
    stated, rows = discretisation_error(PROBLEM)
    assert rows == N
    finer = PROBLEM.refined().refined()
    rng = np.random.default_rng(0)
    sources = np.column_stack([np.ones(N), -np.ones(N), rng.choice([-1.0, 1.0], (N, 4))])
    at = np.array([np.flatnonzero((finer.points == p).all(axis=1))[0] for p in PROBLEM.points])
    difference = np.abs(finer.solve(linear_on(finer.points, sources))[at] - PROBLEM.solve(sources)).max()
    assert 0.1 * stated < difference < 1.2 * stated


def linear_on(points: Array, values: Array) -> Array:
    """Values at the points inside, zero on the boundary, interpolated on the triangles."""
    from skfem import Basis, ElementTriP1, MeshTri

    whole = np.zeros((len(PLATE.points), values.shape[1]))
    whole[PLATE.inside] = values
    basis = Basis(MeshTri(PLATE.points.T.copy(), PLATE.triangles.T.copy()), ElementTriP1())
    return np.asarray(basis.probes(points.T) @ whole)


SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.5, 0.5]])
FOUR = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])


def test_one_unknown_by_hand() -> None:
    """A square of side 1 with one point inside: A = 4 k, M = 4 * (1/4) / 6."""
    problem = Diffusion(Mesh(SQUARE, FOUR), np.full(4, 5.0))
    assert problem.mesh.inside.tolist() == [4]
    assert problem.stiffness.toarray() == pytest.approx(np.array([[20.0]]))
    assert problem.mass.toarray() == pytest.approx(np.array([[1 / 6]]))
    assert problem.operator() == pytest.approx(np.array([[WATTS / 120]]))


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_a_conductivity_that_is_not_positive_is_refused(wrong: float) -> None:
    k = np.array([1.0, 2.0, wrong, 3.0])
    with pytest.raises(ProblemError, match=r"k: expected positive conductivities, got .* in triangle 2, 1 of 4"):
        Diffusion(Mesh(SQUARE, FOUR), k)


def test_a_conductivity_of_another_mesh_is_refused() -> None:
    with pytest.raises(ProblemError, match=r"k: expected 4 numbers, one per triangle, got \[5\]"):
        Diffusion(Mesh(SQUARE, FOUR), np.ones(5))


@pytest.mark.parametrize(
    ("points", "triangles", "said"),
    [
        (SQUARE * np.array([1.0, math.nan]), FOUR, r"point 0: expected finite"),
        (SQUARE, FOUR + 1, r"triangles: expected numbers of points 0 \.\. 4"),
        (np.vstack([SQUARE, [[2.0, 2.0]]]), FOUR, r"point 5: expected in a triangle, 1 points are in none"),
        (SQUARE * np.array([1.0, 0.0]), FOUR, r"triangle 0: expected an area, 4 triangles have none"),
        (SQUARE[:, :1], FOUR, r"expected points \[N, 2\]"),
        (SQUARE, FOUR[:, :2], r"triangles \[T, 3\]"),
        (SQUARE, FOUR[:0], r"triangles: expected numbers"),
    ],
)
def test_a_mesh_that_is_none_is_refused(points: Array, triangles: Array, said: str) -> None:
    with pytest.raises(ProblemError, match=said):
        Mesh(points, triangles)


def test_a_mesh_without_points_inside_and_one_too_large_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProblemError, match="expected points inside, all 3 are on the boundary"):
        Diffusion(Mesh(SQUARE[:3], np.array([[0, 1, 2]])), np.ones(1))
    monkeypatch.setattr("edgepde.problems.diffusion.MOST", 100)
    with pytest.raises(ProblemError, match="expected at most 100 points inside, got 2"):
        PROBLEM.operator()
    with pytest.raises(ProblemError, match="nodes: expected at least 16, got 15"):
        plate(15)
