"""Networks carried with their derivatives, and the Jacobian by their weights, against torch's own differentiation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from edgepde.s2gpt import jet_mlp

Order = tuple[int, ...]


def all_orders(dimension: int) -> list[Order]:
    return [o for o in product(range(3), repeat=dimension) if sum(o) <= 2]


@given(st.integers(1, 3).flatmap(lambda d: st.lists(st.sampled_from(all_orders(d)), min_size=1)))
def test_closure_holds_everything_below_lowest_first(orders: list[Order]) -> None:
    found = jet_mlp.closure(orders)
    below = {b for o in orders for b in product(*[range(k + 1) for k in o])}
    assert set(found) == below
    assert len(found) == len(below)
    assert found[0] == (0,) * len(orders[0])
    assert [sum(o) for o in found] == sorted(sum(o) for o in found)


def plain(theta: Tensor, layers: Sequence[tuple[int, int]], points: Tensor) -> Tensor:
    """One network the ordinary way: theta [n], points [M, d] -> [M]."""
    at, h = 0, points
    for number, (out, inp) in enumerate(layers):
        weight, bias = theta[at : at + out * inp].reshape(out, inp), theta[at + out * inp : at + out * inp + out]
        at += out * inp + out
        h = h @ weight.T + bias
        h = h if number == len(layers) - 1 else torch.tanh(h)
    assert at == len(theta)
    return h[:, 0]


@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**31))
@settings(max_examples=30)
def test_forward_is_the_network_and_its_derivatives(d: int, width: int, depth: int, batch: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    layers = jet_mlp.layer_sizes(d, width, depth)
    theta = jet_mlp.initial_weights(batch, layers, generator)
    theta = theta + 0.3 * torch.randn(theta.shape, generator=generator, dtype=torch.float64)
    points = torch.randn(batch, 4, d, generator=generator, dtype=torch.float64)
    orders = jet_mlp.closure(all_orders(d))
    jets = jet_mlp.forward(theta, layers, points, orders)
    assert jets.shape == (batch, len(orders), 4)
    for s in range(batch):
        leaf = points[s].clone().requires_grad_()
        for c, order in enumerate(orders):
            value = plain(theta[s], layers, leaf)
            for axis in [k for k, count in enumerate(order) for _ in range(count)]:
                value = torch.autograd.grad(value.sum(), leaf, create_graph=True)[0][:, axis]
            torch.testing.assert_close(jets[s, c], value, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("d", [1, 2])
def test_the_jacobian_is_that_of_the_residual(d: int, depth: int) -> None:
    """A residual that multiplies channels, at points that differ between the networks."""
    generator = torch.Generator().manual_seed(depth)
    layers = jet_mlp.layer_sizes(d, 5, depth)
    theta = jet_mlp.initial_weights(3, layers, generator)
    points = torch.randn(3, 6, d, generator=generator, dtype=torch.float64)
    orders = jet_mlp.closure([(2, *[0] * (d - 1)), tuple([0] * (d - 1) + [1])])

    def residual(jet: Tensor) -> Tensor:
        return jet[:, 1] * jet[:, 0] - 0.3 * jet[:, -1] + torch.sin(jet[:, 0])

    def whole(flat: Tensor) -> Tensor:
        return residual(jet_mlp.forward(flat, layers, points, orders))

    r, jacobian = jet_mlp.residual_and_jacobian(theta, layers, points, orders, residual)
    torch.testing.assert_close(r, whole(theta))
    full = torch.autograd.functional.jacobian(whole, theta)
    for s, other in product(range(3), repeat=2):
        expected = full[s, :, other]
        torch.testing.assert_close(jacobian[s] if s == other else torch.zeros_like(expected), expected)
    assert not r.requires_grad
    assert not jacobian.requires_grad


def test_the_jacobian_is_the_same_without_gradients_enabled_outside() -> None:
    layers = jet_mlp.layer_sizes(2, 4, 2)
    theta = jet_mlp.initial_weights(1, layers, torch.Generator().manual_seed(0))
    points, orders = torch.rand(1, 3, 2, dtype=torch.float64), jet_mlp.closure([(1, 1)])
    arguments = (theta, layers, points, orders, lambda jet: jet[:, -1] ** 2)
    with torch.no_grad():
        inside = jet_mlp.residual_and_jacobian(*arguments)
    for a, b in zip(inside, jet_mlp.residual_and_jacobian(*arguments), strict=True):
        torch.testing.assert_close(a, b)


def test_initial_weights_are_of_glorots_size_and_reproducible() -> None:
    layers = jet_mlp.layer_sizes(2, 200, 2)
    first, second = (jet_mlp.initial_weights(1, layers, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)
    for (weight, bias), (out, inp) in zip(jet_mlp.unflatten(first, layers), layers, strict=True):
        assert weight.shape == (1, out, inp)
        assert not bias.any()
        assert float(weight.std()) == pytest.approx((2.0 / (inp + out)) ** 0.5, rel=0.2)
