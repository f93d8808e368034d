"""Adaptivity: what the local error sees, growth that changes no value, tolerances kept, and shrinking again."""

from __future__ import annotations

import math

import pytest
import torch
from edgepde_runtime.blocks import Block
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from edgepde.hmatrix.adapt import Adaptivity, adapt, dense_slopes, local_errors, probed
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.growing import followed, outside
from edgepde.hmatrix.layer import HLinear
from edgepde.hmatrix.layout import Layout
from edgepde.hmatrix.rebuild import held


def ordered(layer: HLinear) -> Tensor:
    """A in cluster order."""
    return torch.from_numpy(layer.packed().dense())


def seeded(seed: int, n: int = 48, m: int = 48, rank: int = 2) -> HLinear:
    torch.manual_seed(seed)
    return HLinear(n, m, HConfig(leaf=8), rank=rank, dtype=torch.float64)


def kernel(n: int, power: float = 1.0) -> Tensor:
    """1/(1 + |i - j|)^power."""
    at = torch.arange(n, dtype=torch.float64)
    return 1.0 / (1.0 + (at[:, None] - at).abs()) ** power


def test_slope_by_all_entries_is_that_of_a_dense_layer() -> None:
    draw = torch.Generator().manual_seed(0)
    points = torch.rand(24, 2, generator=draw).numpy()
    layer = HLinear(24, 24, HConfig(leaf=6, eta=1.0), rank=1, points=points, dtype=torch.float64)
    net = nn.Sequential(nn.Linear(2, 24).double(), nn.Tanh(), layer, nn.Tanh(), nn.Linear(24, 1).double())
    x = torch.rand(9, 2, dtype=torch.float64, generator=draw).requires_grad_()

    def loss() -> Tensor:
        """Of a second derivative of the network, as a PINN's."""
        slope = torch.autograd.grad(net(x).sum(), x, create_graph=True)[0]
        bend = torch.autograd.grad(slope[:, 0].sum(), x, create_graph=True)[0][:, 0]
        return (bend - 1.0).square().mean()

    found = dense_slopes(net, loss)["2"]
    dense = nn.Linear(24, 24).double()
    dense.load_state_dict({"weight": layer.dense().detach(), "bias": layer.bias.detach()})
    net[2] = dense
    loss().backward()
    torch.testing.assert_close(found, dense.weight.grad[layer.row_order][:, layer.column_order])
    assert layer.probe is None


def test_probes_are_gone_where_the_loss_fails() -> None:
    layer = seeded(0)
    with pytest.raises(RuntimeError, match="lost"), probed(nn.Sequential(layer)):
        raise RuntimeError("lost")
    assert layer.probe is None
    with pytest.raises(InputError, match="HLinear"):
        dense_slopes(nn.Linear(2, 2), lambda: torch.zeros(()))


@settings(max_examples=25)
@given(seed=st.integers(0, 999), p=st.integers(1, 9), q=st.integers(1, 9), rank=st.integers(0, 4))
def test_what_lies_outside_no_change_of_the_factors_follows(seed: int, p: int, q: int, rank: int) -> None:
    torch.manual_seed(seed)
    k = min(rank, p, q)
    left, right, slope = (torch.randn(*shape, dtype=torch.float64) for shape in ((p, k), (q, k), (p, q)))
    rest = outside(slope, (left, right))
    change = torch.randn(p, k, dtype=torch.float64) @ right.T + left @ torch.randn(q, k, dtype=torch.float64).T
    assert abs((rest * change).sum().item()) < 1e-10 * (1.0 + torch.linalg.norm(change).item())
    assert torch.linalg.norm(rest).item() <= torch.linalg.norm(slope).item() * (1 + 1e-12)
    inside = slope - rest  # and the rest is all of it: what remains is such a change
    torch.testing.assert_close(outside(inside, (left, right)), torch.zeros_like(slope), atol=1e-10, rtol=0)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 999),
    n=st.integers(9, 70),
    m=st.integers(9, 70),
    tolerance=st.floats(0, 1),
    leaf=st.integers(1, 20),
)
def test_growth_changes_no_value(seed: int, n: int, m: int, tolerance: float, leaf: int) -> None:
    layer = seeded(seed, n, m)
    before = layer.dense().detach().clone()
    done = adapt(layer, Adaptivity(tolerance, leaf=leaf, step=3), slope=torch.randn(m, n, dtype=torch.float64))
    torch.testing.assert_close(layer.dense().detach(), before)
    assert done.numbers[1] == layer.numbers >= done.numbers[0]
    assert done.lost == 0.0


def test_growth_follows_what_was_outside() -> None:
    layer = seeded(1)
    slope = kernel(48, 0.5)
    before = local_errors(layer, slope)
    total = math.hypot(*before)
    adapt(layer, Adaptivity(0.0, step=2), slope=slope)
    assert math.hypot(*local_errors(layer, slope)) < 0.2 * total


@pytest.mark.parametrize("way", ["rank", "split", "dense"])
def test_gain_of_a_growth_is_what_it_takes_away(way: str) -> None:
    layer = seeded(2, rank=1)
    place = max(range(len(layer.layout.blocks)), key=lambda i: layer.layout.blocks[i].numbers)
    block = layer.layout.blocks[place]
    slope = torch.randn(48, 48, dtype=torch.float64)
    inside = slope[slice(*block.rows), slice(*block.columns)]
    growth = next(g for g in followed(held(layer, place), inside, 2, 8) if g.kind == way)
    before = outside(inside, held(layer, place).factors).square().sum().item()
    after = 0.0
    for piece in growth.pieces:
        part = slope[slice(*piece.block.rows), slice(*piece.block.columns)]
        after += outside(part, piece.factors).square().sum().item()  # a new left factor of 0 spans nothing
    assert growth.gain == pytest.approx(before - after)
    assert growth.cost == sum(p.block.numbers for p in growth.pieces) - block.numbers


def test_the_way_that_gains_most_per_number_is_taken() -> None:
    def grown(slope: Tensor, rank: int = 1) -> dict[str, int]:
        layer = HLinear(64, 64, HConfig(leaf=64), dtype=torch.float64)
        layer.arrange(Layout(64, 64, (Block((0, 64), (0, 64), rank),)))
        with torch.no_grad():
            layer.left.copy_(left[:rank].reshape(-1))
            layer.right.copy_(right[:, :rank].reshape(-1))
        return adapt(layer, Adaptivity(0.1, step=1, leaf=16), slope=slope).grown

    torch.manual_seed(0)
    left, right = torch.randn(31, 64, dtype=torch.float64), torch.randn(64, 31, dtype=torch.float64)
    at = torch.linspace(0, 1, 64, dtype=torch.float64)
    assert grown(torch.outer(torch.sin(9 * at), torch.cos(7 * at))) == {"rank": 1}
    assert grown(torch.randn(64, 64, dtype=torch.float64), rank=31) == {"dense": 1}  # one rank more would not pay
    quarters = torch.randn(2, 64, 2, dtype=torch.float64)  # along the factors, another way in every quarter
    down = torch.stack([left[0] * (at < 0.5), left[0] * (at > 0.5)], dim=1)
    across = torch.stack([right[:, 0] * (at < 0.5), right[:, 0] * (at > 0.5)], dim=1)
    assert grown(down @ quarters[0].T + quarters[1] @ across.T) == {"split": 1}


def test_numbers_are_a_limit() -> None:
    layer = seeded(3)
    most = layer.numbers + 200
    done = adapt(layer, Adaptivity(0.0, numbers=most), slope=torch.randn(48, 48, dtype=torch.float64))
    assert layer.numbers <= most
    assert sum(done.grown.values()) >= 1


def test_nothing_happens_within_the_tolerance() -> None:
    layer = seeded(4)
    parameters = list(layer.parameters())
    done = adapt(layer, Adaptivity(10.0), slope=kernel(48))
    assert done.grown == {}
    assert done.replaced == ()
    assert done.local < 1.0
    assert all(p is q for p, q in zip(parameters, layer.parameters(), strict=True))


@settings(max_examples=12)
@given(
    n=st.integers(9, 60),
    m=st.integers(9, 60),
    tolerance=st.floats(1e-6, 0.5),
    power=st.floats(0.2, 2),
    moved=st.booleans(),
)
def test_a_reference_is_met_within_the_tolerance(n: int, m: int, tolerance: float, power: float, moved: bool) -> None:
    torch.manual_seed(0)
    points = torch.rand(n, 2).numpy() if moved else None
    layer = HLinear(n, m, HConfig(leaf=8), rank=1, points=points, dtype=torch.float64)
    wanted = kernel(max(n, m), power)[:m, :n]
    norm = torch.linalg.norm(wanted).item()
    with torch.no_grad():  # dense blocks hold the reference, as in a compressed layer
        inside = wanted[layer.row_order][:, layer.column_order]
        for place, block in enumerate(layer.layout.blocks):
            if block.rank is None:
                layer.factors(place)[0].copy_(inside[slice(*block.rows), slice(*block.columns)])
    done = adapt(layer, Adaptivity(tolerance, leaf=4), reference=wanted)
    left = torch.linalg.norm(layer.dense() - wanted).item()
    assert left <= tolerance * norm * (1 + 1e-9)
    again = adapt(layer, Adaptivity(tolerance, leaf=4), reference=wanted)
    assert again.grown == {}
    assert again.local <= 1.0 + 1e-9
    assert done.numbers[1] == layer.numbers


def test_a_split_is_taken_where_it_is_cheapest() -> None:
    layer = HLinear(64, 64, HConfig(leaf=64), dtype=torch.float64)
    layer.arrange(Layout(64, 64, (Block((0, 64), (0, 64), 1),)))
    wanted = kernel(64)
    done = adapt(layer, Adaptivity(1e-3, leaf=8), reference=wanted)
    assert done.grown == {"split": 1}
    assert layer.storage_ratio < 0.6
    assert torch.linalg.norm(layer.dense() - wanted).item() <= 1e-3 * torch.linalg.norm(wanted).item()


def test_what_is_not_needed_goes_and_four_become_one() -> None:
    layer = HLinear(64, 64, HConfig(leaf=64), dtype=torch.float64)
    quarters = [Block((a, a + 32), (c, c + 32), 6) for a in (0, 32) for c in (0, 32)]
    layer.arrange(Layout(64, 64, tuple(quarters)))
    at = torch.linspace(0, 1, 64, dtype=torch.float64)
    wanted = torch.exp(-(at[:, None] + at)) + 1e-6 * torch.cos(40 * at[:, None] * at)
    done = adapt(layer, Adaptivity(1e-9, leaf=32), reference=wanted)
    assert layer.numbers > 1000
    done = adapt(layer, Adaptivity(1e-2, coarse=1e-4), reference=wanted)
    assert [block.rank for block in layer.layout.blocks] == [1]
    assert done.numbers[1] == 128
    assert done.shrunk == 4
    left = torch.linalg.norm(layer.dense() - wanted).item()
    assert 0 < left <= done.lost * 1.001 + 1e-12
    assert done.lost <= 1e-4 * torch.linalg.norm(wanted).item()


def test_blocks_that_are_not_children_of_one_are_not_merged() -> None:
    layer = HLinear(64, 64, HConfig(leaf=64), dtype=torch.float64)
    spans = [(0, 16), (16, 32), (32, 48), (48, 64)]
    layer.arrange(Layout(64, 64, tuple(Block(a, b, 2) for a in spans for b in spans)))
    with torch.no_grad():
        layer.left.fill_(1.0)
        layer.right.fill_(1.0)
    adapt(layer, Adaptivity(10.0, coarse=1e-6), reference=layer.dense().detach())
    assert sorted({block.rows for block in layer.layout.blocks}) == [(0, 32), (32, 64)]


def test_a_network_trains_on_while_its_blocks_adapt() -> None:
    torch.manual_seed(0)
    layer = HLinear(32, 32, HConfig(leaf=8), rank=1, bias=False, dtype=torch.float64)
    x = torch.randn(200, 32, dtype=torch.float64)
    wanted = x @ kernel(32, 0.7).T
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-2)
    losses = []
    for step in range(400):
        optimizer.zero_grad()
        loss = (layer(x) - wanted).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step in {150, 250}:
            slope = dense_slopes(layer, lambda: (layer(x) - wanted).square().mean())[""]
            done = adapt(layer, Adaptivity(0.1, step=1), slope=slope)
            assert done.grown
            done.carry(optimizer)
            assert {id(p) for g in optimizer.param_groups for p in g["params"]} == {id(p) for p in layer.parameters()}
    assert losses[251] < 3 * losses[250]  # no jump
    assert losses[-1] < 0.1 * losses[150]


def test_what_is_not_given_rightly_is_refused() -> None:
    layer = seeded(0)
    wrong = torch.zeros(48, 47)
    with pytest.raises(InputError, match="both or neither"):
        adapt(layer, Adaptivity())
    with pytest.raises(InputError, match="both or neither"):
        adapt(layer, Adaptivity(), slope=kernel(48), reference=kernel(48))
    for values in (wrong, kernel(48) * math.nan):
        with pytest.raises(InputError, match="finite numbers"):
            adapt(layer, Adaptivity(), slope=values)
    for key, value in (("tolerance", -1.0), ("tolerance", math.nan), ("coarse", -1.0), ("step", 0), ("leaf", 0)):
        with pytest.raises(InputError, match=key):
            Adaptivity(**{key: value})
