"""Snapshots: the residual is the equation's, training keeps the best, stops when it is good enough, and repeats."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from edgepde.problems.burgers import burgers
from edgepde.problems.derivatives import parameters_by_name
from edgepde.s2gpt import jet_mlp, snapshot
from edgepde.s2gpt.snapshot import Residual, Settings, homogeneous_factors, polynomial, train, uniform_points

PROBLEM = burgers(0.2, 1.0)
LAYERS = jet_mlp.layer_sizes(2, 6, 2)
MU = torch.tensor([[0.3], [0.9]], dtype=torch.float64)
QUICK = Settings(iterations=12, points=80, resample_every=4, tolerance=1e-9)


def weights(batch: int = 2) -> Tensor:
    return jet_mlp.initial_weights(batch, LAYERS, torch.Generator().manual_seed(0))


def points(count: int = 30) -> Tensor:
    return uniform_points(PROBLEM, count, torch.Generator().manual_seed(1), torch.device("cpu"))


def field(theta: Tensor, where: Tensor, member: int) -> Tensor:
    """lift + mask N of one member, the ordinary way."""
    net = jet_mlp.forward(theta[member : member + 1], LAYERS, where[None], [(0, 0)])[0, 0]
    c = {"x": where[:, 0], "t": where[:, 1]}
    mu = parameters_by_name(PROBLEM, MU[member : member + 1])
    return PROBLEM.lift(c, mu)[0] + PROBLEM.mask(c) * net


def test_the_residual_is_the_equations_by_autograd() -> None:
    theta, where = weights(), points()
    found, size = Residual(PROBLEM, LAYERS, where, MU).sized(theta)
    for member in range(2):
        leaf = where.clone().requires_grad_()
        u = field(theta, leaf, member)
        u_x, u_t = torch.autograd.grad(u.sum(), leaf, create_graph=True)[0].T
        u_xx = torch.autograd.grad(u_x.sum(), leaf, create_graph=True)[0][:, 0]
        nu = MU[member, 0]
        torch.testing.assert_close(found[member], (u_t + u * u_x - nu * u_xx).detach())
        torch.testing.assert_close(size[member], (u_t.abs() + (u * u_x).abs() + nu * u_xx.abs()).detach())


def test_the_linearisation_is_the_residual_and_its_slope() -> None:
    theta, residual = weights(), Residual(PROBLEM, LAYERS, points(8), MU)
    r, jacobian = residual.linearise(theta)
    torch.testing.assert_close(r, residual(theta))
    direction = torch.randn(theta.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    slope = (residual(theta + 1e-6 * direction) - residual(theta - 1e-6 * direction)) / 2e-6
    torch.testing.assert_close((jacobian @ direction[:, :, None])[:, :, 0], slope, rtol=1e-6, atol=1e-7)


def test_a_polynomial_multiplies_repeated_factors_and_adds_sources() -> None:
    values = torch.tensor([[[2.0], [3.0]]]).double()
    coefficients = torch.tensor([[[1.0], [-10.0], [5.0]]]).double()
    residual, size = polynomial(values, coefficients, [[0, 0, 1], [1, 2, 2], [2, 2, 2]])
    assert residual.item() == 12.0 - 30.0 + 5.0
    assert size.item() == 12.0 + 30.0 + 5.0


def test_homogeneous_factors_are_mask_times_network() -> None:
    theta, where = weights(), points(9)
    found = homogeneous_factors(PROBLEM, LAYERS, theta, ("u", "u_t", "u_xx"), where)
    assert found.shape == (3, 9, 2)
    for member in range(2):
        leaf = where.clone().requires_grad_()
        net = jet_mlp.forward(theta[member : member + 1], LAYERS, leaf[None], [(0, 0)])[0, 0]
        u = PROBLEM.mask({"x": leaf[:, 0], "t": leaf[:, 1]}) * net
        u_x, u_t = torch.autograd.grad(u.sum(), leaf, create_graph=True)[0].T
        u_xx = torch.autograd.grad(u_x.sum(), leaf)[0][:, 0]
        torch.testing.assert_close(found[:, :, member], torch.stack([u, u_t, u_xx]).detach())


def test_points_fill_the_folded_domain() -> None:
    where = points(4000)
    torch.testing.assert_close(where.mean(dim=0), torch.full((2,), 0.5).double(), atol=0.03, rtol=0)
    assert float(where.min()) >= 0.0
    assert float(where.max()) <= 1.0


def trained(settings: Settings, theta: Tensor | None = None, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return train(PROBLEM, LAYERS, weights() if theta is None else theta, MU, settings, generator)


def test_training_brings_the_residual_down_and_repeats_with_its_seed() -> None:
    before = trained(replace(QUICK, iterations=0))[1]
    (theta, residual), (again, _), (other, _) = trained(QUICK), trained(QUICK), trained(QUICK, seed=1)
    assert (residual < 0.7 * before).all()
    assert torch.equal(theta, again)
    assert not torch.equal(theta, other)
    assert not theta.requires_grad


def test_the_best_weights_are_kept_even_when_it_gets_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    good, _ = trained(QUICK)

    def ruin(theta: Tensor, *_: object) -> tuple[Tensor, Tensor]:
        return theta + 1.0, torch.zeros(2)

    monkeypatch.setattr(snapshot, "step", ruin)
    theta, residual = trained(QUICK, good)
    assert torch.equal(theta, good)
    assert torch.isfinite(residual).all()


def test_it_stops_where_the_tolerance_is_met_and_leaves_finished_members_alone() -> None:
    good, residual = trained(QUICK)
    ticks: list[int] = []
    settings = replace(QUICK, tolerance=2.0 * float(residual.max()), iterations=40)
    train(PROBLEM, LAYERS, good, MU, settings, torch.Generator(), lambda i, _: ticks.append(i))
    assert ticks == [0]
    mixed = torch.stack([good[0], 5.0 * weights()[1]])
    theta, _ = trained(replace(settings, iterations=4), mixed)
    assert torch.equal(theta[0], good[0])
    assert not torch.equal(theta[1], mixed[1])


def test_a_network_that_is_not_finite_is_reported_as_infinite_and_spoils_no_other() -> None:
    theta = weights()
    theta[1] = torch.nan
    found, residual = trained(QUICK, theta)
    assert torch.isfinite(found[0]).all()
    assert torch.isfinite(residual[0])
    assert torch.isinf(residual[1])
