"""Levenberg-Marquardt in batches: it finds minima, members never meet, nothing that is not finite is accepted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from edgepde.train.levenberg_marquardt import Damping, Linearise, gram, step

Residual = Callable[[Tensor], Tensor]


def rosenbrock(theta: Tensor) -> Tensor:
    x, y = theta[:, 0], theta[:, 1]
    return torch.stack([10.0 * (y - x * x), 1.0 - x], dim=1)


def rosenbrock_slopes(theta: Tensor) -> tuple[Tensor, Tensor]:
    x, one = theta[:, 0], torch.ones_like(theta[:, 0])
    rows = [torch.stack([-20.0 * x, 10.0 * one], dim=1), torch.stack([-one, 0.0 * one], dim=1)]
    return rosenbrock(theta), torch.stack(rows, dim=1)


def solve(residual: Residual, linearise: Linearise, theta: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    damping = Damping.initial(len(theta), theta.device)
    everyone = torch.ones(len(theta), dtype=torch.bool)
    cost = torch.empty(0)
    for _ in range(steps):
        theta, cost = step(theta, linearise, residual, damping, everyone)
    return theta, cost


def test_rosenbrocks_valley_from_several_starts() -> None:
    start = torch.tensor([[-1.2, 1.0], [3.0, -2.0], [0.0, 5.0]], dtype=torch.float64)
    theta, cost = solve(rosenbrock, rosenbrock_slopes, start, 60)
    torch.testing.assert_close(theta, torch.ones_like(start), rtol=0, atol=1e-8)
    assert (cost < 1e-16).all()


@given(st.integers(0, 2**31))
@settings(max_examples=20)
def test_a_linear_problem_ends_at_the_least_squares_solution(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(2, 12, 3, generator=generator, dtype=torch.float64)
    target = torch.randn(2, 12, generator=generator, dtype=torch.float64)

    def residual(x: Tensor) -> Tensor:
        return (matrix @ x[:, :, None])[:, :, 0] - target

    theta, _ = solve(residual, lambda x: (residual(x), matrix), torch.zeros(2, 3, dtype=torch.float64), 30)
    expected = torch.linalg.lstsq(matrix, target[:, :, None]).solution[:, :, 0]
    torch.testing.assert_close(theta, expected, rtol=1e-5, atol=1e-6)  # costs that differ by less are alike


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=2, max_size=5))
@settings(max_examples=12)
def test_a_batch_is_its_members_one_by_one(starts: list[tuple[float, float]]) -> None:
    start = torch.tensor(starts, dtype=torch.float64)
    together, cost = solve(rosenbrock, rosenbrock_slopes, start, 12)
    for i in range(len(starts)):
        alone, own = solve(rosenbrock, rosenbrock_slopes, start[i : i + 1], 12)
        torch.testing.assert_close(alone[0], together[i], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(own[0], cost[i], rtol=1e-6, atol=1e-14)


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=4))
@settings(max_examples=30)
def test_the_cost_never_grows_and_is_that_of_theta(starts: list[tuple[float, float]]) -> None:
    theta = torch.tensor(starts, dtype=torch.float64)
    damping, everyone = Damping.initial(len(theta), theta.device, 1e-9), torch.ones(len(theta), dtype=torch.bool)
    last = rosenbrock(theta).square().mean(dim=1)
    for _ in range(8):
        theta, cost = step(theta, rosenbrock_slopes, rosenbrock, damping, everyone)
        assert (cost <= last).all()
        torch.testing.assert_close(cost, rosenbrock(theta).square().mean(dim=1), rtol=1e-12, atol=0)
        last = cost


def test_rejected_steps_leave_theta_and_raise_the_damping_ever_faster() -> None:
    """A Jacobian of the wrong sign: every step goes uphill, four of them on one linearisation."""
    theta, calls = torch.tensor([[2.0]], dtype=torch.float64), []

    def uphill(x: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(1)
        return x, -torch.ones(1, 1, 1, dtype=torch.float64)

    damping, everyone = Damping.initial(1, theta.device), torch.tensor([True])
    seen = []
    for _ in range(3):
        after, cost = step(theta, uphill, lambda x: x, damping, everyone)
        assert torch.equal(after, theta)
        assert float(cost[0]) == 4.0
        seen.append(float(damping.mu[0]))
    assert seen == pytest.approx([1e-3 * 2**10, 1e-3 * 2**36, 1e12])
    assert len(calls) == 3


def test_a_step_rejected_at_first_is_tried_again_with_more_damping() -> None:
    start = torch.tensor([[0.9, 0.9]], dtype=torch.float64)
    damping = Damping.initial(1, start.device, 1e-9)
    tried: list[Tensor] = []

    def counted(theta: Tensor) -> Tensor:
        tried.append(theta)
        return rosenbrock(theta) * (100.0 if len(tried) <= 2 else 1.0)

    after, cost = step(start, rosenbrock_slopes, counted, damping, torch.tensor([True]))
    assert len(tried) == 3
    torch.testing.assert_close(after, tried[2])
    torch.testing.assert_close(cost, rosenbrock(after).square().mean(dim=1))


@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 6))
@settings(max_examples=20)
def test_the_normal_matrix_is_j_transposed_j_below_the_diagonal(seed: int, rows: int, columns: int) -> None:
    jacobian = torch.randn(3, rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    expected = jacobian.transpose(1, 2) @ jacobian / rows
    torch.testing.assert_close(gram(jacobian).tril(), expected.tril())


def test_an_accepted_step_lowers_the_damping_to_a_third_at_best() -> None:
    theta = torch.tensor([[2.0]], dtype=torch.float64)
    damping = Damping(torch.tensor([1e-3]).double(), torch.tensor([16.0]).double())
    step(theta, lambda x: (x, torch.ones(1, 1, 1).double()), lambda x: x, damping, torch.tensor([True]))
    assert float(damping.mu[0]) == pytest.approx(1e-3 / 3)
    assert float(damping.growth[0]) == 2.0


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["trial", "residual", "jacobian"])
def test_what_is_not_finite_is_never_accepted_and_stays_with_its_member(poison: float, where: str) -> None:
    start = torch.tensor([[-1.2, 1.0], [3.0, -2.0]], dtype=torch.float64)

    def residual(theta: Tensor) -> Tensor:
        r = rosenbrock(theta)
        return torch.stack([r[0], r[1] * poison]) if where == "trial" else r

    def linearise(theta: Tensor) -> tuple[Tensor, Tensor]:
        r, jacobian = rosenbrock_slopes(theta)
        if where == "residual":
            r = torch.stack([r[0], r[1] * poison])
        if where == "jacobian":
            jacobian = torch.stack([jacobian[0], jacobian[1] * poison])
        return r, jacobian

    damping, both = Damping.initial(2, start.device), torch.tensor([True, True])
    after, _ = step(start, linearise, residual, damping, both)
    if where != "residual" or poison != float("inf"):
        assert torch.equal(after[1], start[1])
        assert float(damping.mu[1]) > 1e-3
    assert torch.isfinite(after).all()
    alone, _ = step(start[:1], rosenbrock_slopes, rosenbrock, Damping.initial(1, start.device), both[:1])
    torch.testing.assert_close(after[0], alone[0])


def test_who_is_not_active_stays_as_he_is() -> None:
    start = torch.tensor([[0.0, 5.0], [3.0, -2.0]], dtype=torch.float64)
    damping = Damping(torch.tensor([1e-3, 7e-3], dtype=torch.float64), torch.tensor([2.0, 8.0]).double())
    after, cost = step(start, rosenbrock_slopes, rosenbrock, damping, torch.tensor([True, False]))
    assert not torch.equal(after[0], start[0])
    assert torch.equal(after[1], start[1])
    assert (float(damping.mu[1]), float(damping.growth[1])) == (7e-3, 8.0)
    torch.testing.assert_close(cost[1], rosenbrock(start)[1].square().mean())


def test_a_singular_problem_is_carried_by_the_damping() -> None:
    """Two unknowns of which only the sum matters."""

    def residual(x: Tensor) -> Tensor:
        return x.sum(dim=1, keepdim=True) - 1.0

    slopes = torch.ones(1, 1, 2, dtype=torch.float64)
    theta, cost = solve(residual, lambda x: (residual(x), slopes), torch.zeros(1, 2, dtype=torch.float64), 30)
    torch.testing.assert_close(theta, torch.full_like(theta, 0.5))
    assert float(cost[0]) < 1e-18
