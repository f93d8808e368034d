"""The block penalty against the nuclear norm, and truncation: never beyond its tolerance, its error the true one."""

from __future__ import annotations

import doctest
import math

import pytest
import torch
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgepde.hmatrix import rebuild
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.layer import HLinear
from edgepde.hmatrix.penalty import block_penalty, truncate


def decaying(seed: int, n: int = 40, dtype: torch.dtype = torch.float64) -> HLinear:
    """A layer whose blocks have singular values that fall, dense ones too."""
    torch.manual_seed(seed)
    layer = HLinear(n, n, HConfig(leaf=10), rank=5, dtype=dtype)
    with torch.no_grad():
        for place, block in enumerate(layer.layout.blocks):
            if block.rank is not None:
                for factor in layer.factors(place):
                    factor.mul_(0.2 ** torch.arange(block.rank, dtype=dtype))
            else:
                at = torch.arange(factor_size := layer.factors(place)[0].shape[0], dtype=dtype)
                layer.factors(place)[0].copy_(torch.cos((at[:, None] + at) / factor_size))
    return layer


def nuclear(layer: HLinear) -> float:
    return sum(
        torch.linalg.svdvals(layer.block(place)).sum().item()
        for place, block in enumerate(layer.layout.blocks)
        if block.rank
    )


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), stretch=st.floats(0.1, 10))
def test_penalty_is_never_below_the_nuclear_norm_and_reaches_it(seed: int, stretch: float) -> None:
    layer = decaying(seed)
    with torch.no_grad():
        layer.right *= stretch
    assert block_penalty(layer).item() >= nuclear(layer) * (1 - 1e-12)
    truncate(layer, 1e-9 * torch.linalg.norm(layer.dense()).item())  # factors that are equally large
    low = [p for p, b in enumerate(layer.layout.blocks) if b.rank]
    truncate(layer, 0.5, only=low)
    assert block_penalty(layer).item() >= nuclear(layer) * (1 - 1e-12)


def test_balanced_factors_reach_the_nuclear_norm() -> None:
    layer = HLinear(40, 40, HConfig(leaf=10), rank=4, dtype=torch.float64)
    with torch.no_grad():
        for place, block in enumerate(layer.layout.blocks):
            if block.rank:
                U, S, V = torch.linalg.svd(layer.block(place), full_matrices=False)
                for factor, side in zip(layer.factors(place), (U, V.T), strict=True):
                    factor.copy_(side[:, : block.rank] * S[: block.rank].sqrt())
    assert block_penalty(layer).item() == pytest.approx(nuclear(layer), rel=1e-12)


def test_penalty_finds_the_entries_that_were_never_seen() -> None:
    found = []
    for weight in (0.0, 1e-4):
        torch.manual_seed(0)
        layer = HLinear(64, 64, HConfig(leaf=16), rank=6, dtype=torch.float64)
        at = torch.linspace(0, 1, 64, dtype=torch.float64)
        wanted = torch.exp(-(at[:, None] - at).abs())  # off the diagonal of rank 1
        seen, far = torch.rand(64, 64) < 0.4, (at[:, None] - at).abs() > 0.5
        optimizer = torch.optim.Adam(layer.parameters(), lr=3e-2)
        for _ in range(150):
            optimizer.zero_grad()
            loss = (layer.dense() - wanted)[seen].square().mean() + weight * block_penalty(layer)
            loss.backward()
            optimizer.step()
        lost = (layer.dense() - wanted)[far & ~seen].square().mean().sqrt().item()
        truncate(layer, 0.02 * torch.linalg.norm(layer.dense()).item())
        found.append((lost, sum(block.rank or 0 for block in layer.layout.blocks)))
    assert found[1][0] < 0.5 * found[0][0]
    assert found[1][1] < found[0][1]


def test_penalty_without_blocks() -> None:
    with pytest.raises(InputError, match="HLinear"):
        block_penalty(nn.Linear(2, 2))
    dense = HLinear(4, 4)
    assert block_penalty(nn.Sequential(dense)).item() == 0.0
    block_penalty(dense).backward()


@settings(max_examples=40)
@given(seed=st.integers(0, 1000), share=st.floats(0, 1.2), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_truncation_never_exceeds_its_tolerance(seed: int, share: float, dtype: torch.dtype) -> None:
    layer = decaying(seed, dtype=dtype)
    before, numbers = layer.dense().detach().double(), layer.numbers
    tolerance = share * torch.linalg.norm(before).item()
    done = truncate(layer, tolerance)
    after = [layer.block(p).detach().double() for p in range(len(layer.layout.blocks))]
    lost = before - layer.dense().detach().double()
    assert done.error <= tolerance
    assert torch.linalg.norm(lost).item() == pytest.approx(
        done.error, rel=1e-3, abs=1e-6 * torch.linalg.norm(before).item()
    )
    assert done.numbers == (numbers, layer.numbers)
    assert layer.numbers <= numbers
    for block, held, error in zip(layer.layout.blocks, after, done.errors, strict=True):
        true = torch.linalg.norm(before[slice(*block.rows), slice(*block.columns)] - held).item()
        assert true == pytest.approx(error, rel=1e-3, abs=1e-6)


def test_truncation_saves_what_it_can() -> None:
    layer = decaying(0)
    done = truncate(layer, 0.02 * torch.linalg.norm(layer.dense()).item())
    assert done.numbers[1] < 0.5 * done.numbers[0]
    assert any(error > 0 for error in done.errors)
    everything = truncate(layer, 1.01 * torch.linalg.norm(layer.dense()).item())
    assert layer.numbers == 0 == everything.numbers[1]
    assert layer(torch.ones(2, 40, dtype=torch.float64)).shape == (2, 40)


def test_what_does_not_change_keeps_its_bits() -> None:
    layer = decaying(1)
    before = [tuple(f.detach().clone() for f in layer.factors(p)) for p in range(len(layer.layout.blocks))]
    changed = [p for p, b in enumerate(layer.layout.blocks) if b.rank][:2]
    done = truncate(layer, 0.1, only=changed)
    for place, (old, error) in enumerate(zip(before, done.errors, strict=True)):
        if place not in changed:
            assert error == 0.0
            assert all(torch.equal(a, b) for a, b in zip(old, layer.factors(place), strict=True))
    assert done.error > 0
    again = truncate(layer, 0.0)
    assert again.error == 0.0


@pytest.mark.parametrize("tolerance", [-1.0, math.nan, math.inf])
def test_a_tolerance_that_is_none_is_refused(tolerance: float) -> None:
    with pytest.raises(InputError, match="tolerance"):
        truncate(decaying(0), tolerance)


def test_an_optimizer_goes_on_with_the_numbers_that_stay() -> None:
    layer = decaying(2)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)
    x = torch.randn(20, 40, dtype=torch.float64)
    for _ in range(3):
        optimizer.zero_grad()
        layer(x).square().mean().backward()
        optimizer.step()
    place = next(p for p, b in enumerate(layer.layout.blocks) if b.rank is None)
    remembered = layer.layout.left_spots[place].view(optimizer.state[layer.left]["exp_avg"]).clone()
    low = [p for p, b in enumerate(layer.layout.blocks) if b.rank]
    done = truncate(layer, 0.1, only=low)
    done.replaced.carry(optimizer)
    state = optimizer.state[layer.left]
    assert torch.equal(layer.layout.left_spots[place].view(state["exp_avg"]), remembered)
    assert {id(p) for p in optimizer.state} == {id(p) for p in layer.parameters()}
    fresh = layer.layout.left_spots[low[0]]
    assert (fresh.view(state["exp_avg"]) == 0).all()
    assert (fresh.view(state["exp_avg_sq"]) > 0).all()
    before = layer.left.detach().clone()
    optimizer.zero_grad()
    layer(x).square().mean().backward()
    optimizer.step()
    assert not torch.equal(layer.left, before)


def test_the_example_of_carrying_an_optimizer_runs() -> None:
    found = doctest.testmod(rebuild)
    assert found.attempted > 5
    assert found.failed == 0
