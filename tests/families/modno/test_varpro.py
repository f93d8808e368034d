"""Trunks in closed form: the slope is that of the reduced loss, leaving one out is what it says."""

import math

import pytest
import torch
from families.modno.training_cases import branch, task
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.errors import TrainingError
from edgepde.modno.training.closed import left_out, path, reduced, solve
from edgepde.modno.training.member import Member
from edgepde.modno.training.passes import Passes
from edgepde.modno.training.schemes import scheme
from edgepde.modno.training.settings import Fit


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.integers(0, 10**6), st.sampled_from([1e-6, 1e-2, 1.0]))
def test_the_solution_is_the_minimum(seed: int, ridge: float) -> None:
    A, Y = drawn(seed, 9, 4), drawn(seed + 1, 9, 3)

    def objective(W: torch.Tensor) -> float:
        return float((A @ W - Y).square().sum() / 9 + ridge * W.square().sum())

    W = solve(A, Y, ridge).trunk
    value, again = reduced(A, Y, ridge)
    assert torch.equal(W, again)
    assert float(value) == pytest.approx(objective(W), rel=1e-12)
    for step in range(5):
        assert objective(W) <= objective(W + 1e-3 * drawn(seed + 2 + step, 4, 3))


@given(st.integers(0, 10**6), st.sampled_from([1e-4, 1e-2, 1.0]))
def test_leaving_one_out_is_solving_without_that_case(seed: int, ridge: float) -> None:
    A, Y = drawn(seed, 8, 3), drawn(seed + 1, 8, 2)
    wanted = 0.0
    for case in range(8):
        kept = [n for n in range(8) if n != case]
        normal = A[kept].T @ A[kept] + 8 * ridge * torch.eye(3, dtype=A.dtype)
        W = torch.linalg.solve(normal, A[kept].T @ Y[kept])
        wanted += float((A[case] @ W - Y[case]).square().sum()) / 8
    assert float(left_out(A, Y, ridge)[0]) == pytest.approx(wanted, rel=1e-8)


@given(st.integers(0, 10**6))
def test_a_path_of_ridges_gives_each_ones_solution(seed: int) -> None:
    A, Y = drawn(seed, 9, 4), drawn(seed + 1, 9, 3)
    ridges = (1e-8, 1e-3, 1.0)
    for ridge, found in zip(ridges, path(A, Y, ridges), strict=True):
        assert torch.allclose(found, solve(A, Y, ridge).trunk, rtol=1e-6, atol=1e-9)


def test_equations_that_are_singular_are_refused() -> None:
    with pytest.raises(TrainingError, match="singular"):
        solve(torch.ones(3, 2), torch.ones(3, 1), -1.0)


def _reduced_loss(member: Member) -> float:
    """What the scheme descends on, written with the normal equations' own inverse."""
    held = member.task.train
    with torch.no_grad():
        weights = 1.0 / held.norms[:, None]
        A = member.features(held.inputs) * weights * member.base
        Y = held.targets * weights * member.base
        rows, ridge = len(A), float(member.log_ridge.exp())
        inverse = torch.linalg.inv(A.T @ A / rows + ridge * torch.eye(A.shape[1], dtype=A.dtype))
        W = inverse @ A.T @ Y / rows
        misfit = A @ W - Y
        if member.how.objective == "loo":
            misfit = misfit / (1.0 - torch.diagonal(A @ inverse @ A.T) / rows)[:, None]
            value = misfit.square().sum() / rows
        else:
            value = misfit.square().sum() / rows + ridge * W.square().sum()
        value = value / member.base**2
        return math.log(float(value) + 1e-10) if member.how.balance == "log" else float(value)


@pytest.mark.parametrize("kind", ["mlp", "gaussian"])
@pytest.mark.parametrize("objective", ["fit", "loo"])
@pytest.mark.parametrize("balance", ["relative", "log"])
@settings(max_examples=3)
@given(seed=st.integers(0, 10**6))
def test_the_slope_is_the_finite_difference_of_the_reduced_loss(
    kind: str, objective: str, balance: str, seed: int
) -> None:
    how = Fit(scheme="varpro", objective=objective, balance=balance, ridge=1e-2, rate=1e-9)  # type: ignore[arg-type]
    made = branch(kind, seed % 11)
    member = Member(task("a"), made, how, 0, Passes())
    shared = list(made.parameters())
    scheme("varpro").move(member, member.rows(0), shared)
    way = [drawn(seed + at, *p.shape) for at, p in enumerate(shared)]
    slope = sum(float((p.grad * v).sum()) for p, v in zip(shared, way, strict=True) if p.grad is not None)
    found, h = [], 1e-5
    for side in (1.0, -1.0):
        with torch.no_grad():
            for p, v in zip(shared, way, strict=True):
                p.add_(side * h * v)
            found.append(_reduced_loss(member))
            for p, v in zip(shared, way, strict=True):
                p.sub_(side * h * v)
    assert slope == pytest.approx((found[0] - found[1]) / (2 * h), rel=1e-4, abs=1e-7)


def test_the_ridge_moves_where_one_is_left_out() -> None:
    made = branch()
    member = Member(task("a"), made, Fit(scheme="varpro", objective="loo", rate=0.1), 0, Passes())
    before = float(member.log_ridge.detach())
    scheme("varpro").move(member, member.rows(0), list(made.parameters()))
    assert float(member.log_ridge.detach()) != before
