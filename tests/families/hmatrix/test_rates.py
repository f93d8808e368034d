"""Learning rates of layers in blocks."""

from __future__ import annotations

import doctest

import pytest
import torch
from edgepde_runtime.blocks import Block
from torch import nn

from edgepde.hmatrix import rates
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.layer import HLinear
from edgepde.hmatrix.layout import Layout
from edgepde.hmatrix.rates import fan_in, parameter_groups


def test_terms_are_counted() -> None:
    layer = HLinear(8, 8, HConfig(leaf=8))
    assert fan_in(layer) == (1.0, 8.0)  # one dense block: no first step, every row reads all columns
    halves = ((0, 4), (4, 8))
    layer.arrange(Layout(8, 8, tuple(Block(r, c, 1 if r != c else None) for r in halves for c in halves)))
    assert fan_in(layer) == (4.0, 5.0)
    groups = parameter_groups(layer, 1e-3)
    assert [group["lr"] for group in groups] == pytest.approx([1e-3, 2e-3, 1.6e-3])


def test_every_parameter_is_in_one_group() -> None:
    net = nn.Sequential(HLinear(64, 64, HConfig(leaf=8)), nn.Tanh(), nn.Linear(64, 1), HLinear(1, 1, bias=False))
    found = [id(p) for group in parameter_groups(net, 1e-3) for p in group["params"]]
    assert sorted(found) == sorted(id(p) for p in net.parameters())
    assert all(group["lr"] >= 1e-3 for group in parameter_groups(net, 1e-3))


def test_rates_for_dense_layers_suit_blocks() -> None:
    at = torch.linspace(0, 1, 64)
    wanted = torch.exp(-(at[:, None] - at).abs() / 0.1)

    def trained(groups: bool) -> float:
        torch.manual_seed(0)
        layer = HLinear(64, 64, HConfig(leaf=8), rank=1, bias=False)
        optimizer = torch.optim.Adam(parameter_groups(layer, 3e-3) if groups else layer.parameters(), lr=3e-3)
        x = torch.randn(200, 64)
        for _ in range(150):
            optimizer.zero_grad()
            loss = (layer(x) - x @ wanted).square().mean()
            loss.backward()
            optimizer.step()
        return loss.item()

    assert trained(groups=True) < 0.2 * trained(groups=False)


def test_the_example_runs() -> None:
    found = doctest.testmod(rates)
    assert found.attempted > 3
    assert found.failed == 0
