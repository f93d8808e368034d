"""What the training study compares: its operators, equal storage, and nets that are what their rows say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hmatrix_parts import _learned_field, _learned_operator, ntk
from hmatrix_parts._training import How, low_rank, train
from torch import nn

from edgepde.hmatrix.adapt import Adaptivity
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.layer import HLinear


def test_the_rod_is_of_rank_one_off_its_diagonal_and_of_no_low_rank_as_a_whole() -> None:
    operator = _learned_operator.rod(64, 0)
    np.testing.assert_allclose(operator, operator.T, atol=1e-12)
    assert np.linalg.svd(operator[:32, 32:], compute_uv=False)[1] < 1e-12
    singular = np.linalg.svd(operator, compute_uv=False)
    assert np.sqrt((singular[10:] ** 2).sum() / (singular**2).sum()) > 0.3


def test_the_plate_conducts_alike_in_both_directions() -> None:
    operator = _learned_operator.plate(6).reshape(6, 6, 6, 6)
    np.testing.assert_allclose(operator, operator.transpose(1, 0, 3, 2), atol=1e-12)


def test_low_rank_holds_no_more_numbers() -> None:
    most = HLinear(64, 64, HConfig(leaf=4), rank=2).numbers
    assert most - 128 < low_rank(64, 64, most).numbers <= most


def test_blocks_learn_the_rod_better_than_any_low_rank() -> None:
    case = _learned_operator.Case("rod", _learned_operator.rod(64, 0), None, HConfig(leaf=4), (1, 2))
    most = HLinear(64, 64, case.config, rank=2).numbers
    how = How(120, 1e-2, adaptivity=Adaptivity(0.1, step=1, leaf=4, numbers=most))
    error, share = _learned_operator._trained(case, lambda: HLinear(64, 64, case.config, rank=1, bias=False), how, 0)
    singular = np.linalg.svd(case.operator, compute_uv=False)
    best = float(np.sqrt((singular[most // 128 :] ** 2).sum() / (singular**2).sum()))
    assert share <= most / 64**2
    assert error < 0.5 * best


@pytest.mark.parametrize("name", ["low rank", "blocks", "blocks, units re-ordered"])
def test_a_net_is_shrunk_to_its_storage_and_stays_near(name: str) -> None:
    torch.manual_seed(0)
    net = _learned_field._net(32, lambda: nn.Linear(32, 32))
    for most, near in ((900, 0.5), (300, 2.0)):
        small = _learned_field._shrunk(net, name, HConfig(leaf=8), most)
        hidden = [layer for layer in small if isinstance(layer, HLinear)]
        assert len(hidden) == 2
        assert all(layer.numbers <= most for layer in hidden)
        lost = torch.linalg.norm(hidden[0].dense() - net[2].weight) / torch.linalg.norm(net[2].weight)
        assert 0.0 < lost.item() < near
    x = torch.rand(5, 2)
    assert not torch.equal(small(x), net(x))
    assert small[0] is not net[0]  # training it leaves the other alone


def test_a_part_of_a_training_starts_at_its_rate() -> None:
    how = How(100, 1e-2)
    assert (how.part(0.0, 0.5).steps, how.part(0.0, 0.5).rate) == (50, 1e-2)
    assert how.part(0.5, 1.0).rate == pytest.approx(5e-3)


def test_blocks_adapt_while_a_net_trains() -> None:
    torch.manual_seed(0)
    layer = HLinear(32, 32, HConfig(leaf=8), rank=1)
    x = torch.randn(64, 32)
    most = layer.numbers + 200
    train(
        layer, lambda net, _: (net(x) - x.flip(1)).square().mean(), How(20, 1e-2, 1e-6, Adaptivity(0.0, numbers=most))
    )
    assert layer.numbers > most - 200
    assert layer.numbers <= most


def test_tangent_kernels_are_those_of_the_sample() -> None:
    whole = ntk.sequential()
    small, share = ntk._shrunk(whole, ntk._weighed(96))
    assert share == pytest.approx(0.75)
    assert 0.0 < ntk._off(whole, small) < 1e-5
