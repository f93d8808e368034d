"""HLinear: the product and its derivatives, the start of a fresh layer, state and export, inputs that do not fit."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from edgepde_runtime.blocks import Block
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.layer import HLinear
from edgepde.hmatrix.layout import Layout


def shuffled(n: int, m: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> HLinear:
    """A layer whose rows and columns are both moved."""
    draw = np.random.default_rng(seed)
    torch.manual_seed(seed)
    return HLinear(
        n, m, HConfig(leaf=4, eta=1.0), rank=2, points=draw.random((n, 2)), row_points=draw.random((m, 2)), dtype=dtype
    )


@settings(max_examples=20)
@given(
    n=st.integers(1, 70),
    m=st.integers(1, 70),
    leaf=st.integers(1, 20),
    eta=st.sampled_from([None, 0.5, 2.0]),
    rank=st.integers(1, 5),
    batch=st.sampled_from([0, 1, 3, 100]),
)
def test_is_its_dense_matrix(n: int, m: int, leaf: int, eta: float | None, rank: int, batch: int) -> None:
    layer = HLinear(n, m, HConfig(leaf=leaf, eta=eta), rank=rank, dtype=torch.float64)
    x = torch.randn(batch, n, dtype=torch.float64)
    torch.testing.assert_close(layer(x), x @ layer.dense().T + layer.bias)
    np.testing.assert_allclose(layer.hmatrix().dense(), layer.dense().detach().numpy(), atol=1e-14)
    packed = layer.packed()
    orders = np.ix_(layer.row_order.numpy(), layer.column_order.numpy())
    np.testing.assert_allclose(packed.dense(), layer.dense().detach().numpy()[orders], atol=1e-14)
    assert layer.numbers == packed.numbers == layer.right.numel() + layer.left.numel()


def test_moves_inputs_and_outputs_where_points_say_so() -> None:
    layer = shuffled(30, 50)
    assert not torch.equal(layer.row_order, torch.arange(50))
    x = torch.randn(3, 30, dtype=torch.float64)
    torch.testing.assert_close(layer(x), x @ layer.dense().T + layer.bias)


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3), (2, 0, 3)])
def test_takes_any_leading_shape(shape: tuple[int, ...]) -> None:
    layer = shuffled(12, 9)
    x = torch.randn(*shape, 12, dtype=torch.float64)
    assert layer(x).shape == (*shape, 9)
    torch.testing.assert_close(layer(x), x @ layer.dense().T + layer.bias)


@pytest.mark.parametrize("batch", [3, 80])
def test_has_second_derivatives_that_can_be_trained_on(batch: int) -> None:
    layer = shuffled(8, 8)
    dense = nn.Linear(8, 8).double()
    dense.load_state_dict({"weight": layer.dense().detach(), "bias": layer.bias.detach()})
    found = []
    for one in (layer, dense):
        x = torch.linspace(-1, 1, 8 * batch, dtype=torch.float64).view(batch, 8).requires_grad_()
        y = torch.tanh(one(torch.tanh(x))).sum()
        slope = torch.autograd.grad(y, x, create_graph=True)[0]
        bend = torch.autograd.grad(slope[:, 0].sum(), x, create_graph=True)[0]
        found.append((bend, torch.autograd.grad(bend.square().sum(), one.bias)[0]))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_gradients_reach_every_number() -> None:
    layer = shuffled(30, 50)
    (layer(torch.randn(40, 30, dtype=torch.float64)) ** 2).sum().backward()
    for value in (layer.right, layer.left, layer.bias):
        assert value.grad is not None
        assert (value.grad != 0).all()


@pytest.mark.parametrize("eta", [None, 1.0])
def test_starts_with_the_variance_of_nn_linear(eta: float | None) -> None:
    torch.manual_seed(3)
    layer, dense = HLinear(512, 384, HConfig(leaf=16, eta=eta), rank=4), nn.Linear(512, 384)
    x = torch.randn(400, 512)
    assert (layer(x).var() / dense(x).var()).item() == pytest.approx(1.0, abs=0.1)
    for place, block in enumerate(layer.layout.blocks):  # every block takes its share, not only their sum
        assert layer.block(place).var().item() * 3 * 512 == pytest.approx(1.0, abs=0.75), block
    first, second = layer.factors(next(i for i, b in enumerate(layer.layout.blocks) if b.rank))
    assert (first.var() / second.var()).item() == pytest.approx(1.0, abs=0.5)


def test_state_brings_its_own_blocks() -> None:
    layer = shuffled(30, 50)
    for other in (shuffled(30, 50, seed=5), HLinear(30, 50, HConfig(leaf=50), dtype=torch.float64)):
        assert not torch.allclose(other.dense(), layer.dense())
        other.load_state_dict(layer.state_dict())
        assert torch.equal(other.dense(), layer.dense())
        x = torch.randn(2, 30, dtype=torch.float64)
        assert torch.equal(other(x), layer(x))
        assert set(other.state_dict()) == set(layer.state_dict())


def test_state_that_does_not_fit_is_refused() -> None:
    layer = shuffled(30, 50)
    for name, value, match in (
        ("blocks", layer.blocks[1:], "is in 0"),
        ("blocks", layer.blocks + torch.tensor([40, 40, 0, 0, 0]), "within"),
        ("blocks", layer.blocks.double(), "int64"),
        ("blocks", torch.cat([layer.blocks, layer.blocks]), "is in 2"),
        ("row_order", torch.zeros_like(layer.row_order), "row_order"),
        ("column_order", layer.column_order[1:], "column_order"),
    ):
        with pytest.raises(InputError, match=match):
            shuffled(30, 50).load_state_dict({**layer.state_dict(), name: value})
    with pytest.raises(RuntimeError, match="right"):
        shuffled(30, 50).load_state_dict({**layer.state_dict(), "right": layer.right[1:].detach()})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_goes_through_a_compressed_matrix_unchanged(dtype: torch.dtype) -> None:
    layer = shuffled(30, 50, dtype=dtype)
    again = HLinear.from_hmatrix(layer.hmatrix(), layer.bias)
    assert again.right.dtype == dtype
    assert torch.equal(again.dense(), layer.dense())
    assert again.layout == layer.layout
    assert HLinear.from_hmatrix(layer.hmatrix()).bias is None


def test_stands_in_for_a_dense_layer_within_a_tolerance() -> None:
    dense = nn.Linear(96, 96).double()
    with torch.no_grad():
        at = torch.arange(96.0)
        dense.weight.copy_(1.0 / (1.0 + (at[:, None] - at).abs()))
    layer = HLinear.from_linear(dense, HConfig(eps=1e-3, leaf=8))
    lost = torch.linalg.norm(layer.dense() - dense.weight) / torch.linalg.norm(dense.weight)
    assert 1e-5 < lost.item() <= 1e-3
    assert layer.storage_ratio < 0.5
    assert torch.equal(layer.bias, dense.bias)
    optimizer = torch.optim.Adam(layer.parameters(), lr=3e-3)  # and goes on being trained
    x = torch.randn(200, 96, dtype=torch.float64)
    wanted = 1.1 * dense(x).detach()
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss = (layer(x) - wanted).square().mean()
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.1 * losses[0]


def test_can_be_copied_moved_to_another_dtype_and_printed() -> None:
    layer = shuffled(30, 50, dtype=torch.float32)
    twin = copy.deepcopy(layer).double()
    assert twin.right.dtype == torch.float64
    x = torch.randn(3, 30)
    torch.testing.assert_close(twin(x.double()).float(), layer(x))
    assert "of low rank" in repr(layer)


def test_is_exported_as_the_op_between_gathers() -> None:
    net = nn.Sequential(nn.Linear(3, 30), nn.Tanh(), shuffled(30, 50, dtype=torch.float32), nn.Linear(50, 1))
    batch = torch.export.Dim("batch")
    program = torch.export.export(net, (torch.randn(4, 3),), dynamic_shapes=({0: batch},))
    called = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert called.count("edgepde.block_low_rank_apply.default") == 1
    assert called.count("aten.index_select.default") == 2
    x = torch.randn(7, 3)
    torch.testing.assert_close(program.module()(x), net(x))


def test_an_order_that_moves_nothing_costs_nothing() -> None:
    program = torch.export.export(HLinear(64, 64, HConfig(leaf=8)), (torch.randn(4, 64),))
    assert not any("index_select" in str(node.target) for node in program.graph.nodes)


@pytest.mark.parametrize("sizes", [(0, 4), (4, 0)])
def test_sizes_below_one_are_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="above 0"):
        HLinear(*sizes)
    with pytest.raises(InputError, match="rank"):
        HLinear(4, 4, rank=0)


def test_points_that_do_not_match_are_refused() -> None:
    with pytest.raises(InputError, match=r"points: expected \[4, 6\], got \[4, 5\]"):
        HLinear(6, 4, points=np.zeros((5, 2)))


def test_inputs_that_do_not_fit_are_refused() -> None:
    layer = HLinear(6, 4)
    with pytest.raises(InputError, match=r"\[.., 6\]"):
        layer(torch.zeros(2, 5))
    with pytest.raises(InputError, match="float32"):
        layer(torch.zeros(2, 6, dtype=torch.float64))
    with pytest.raises(InputError, match="dtype"):
        HLinear(6, 4, dtype=torch.float16)


def test_blocks_that_do_not_tile_are_refused() -> None:
    whole = Block((0, 4), (0, 4), None)
    for blocks, match in (
        ((), "is in 0"),
        ((whole, whole), "is in 2"),
        ((whole,) * 257, "is in 2"),
        ((Block((0, 4), (0, 5), None),), "within"),
        ((Block((0, 4), (0, 4), 5),), "rank 5"),
    ):
        with pytest.raises(InputError, match=match):
            Layout(4, 4, blocks)
    with pytest.raises(InputError, match="others"):
        HLinear(4, 6).arrange(Layout(4, 4, (whole,)))


def test_a_block_of_rank_zero_is_zero() -> None:
    layer = HLinear(4, 4, dtype=torch.float64)
    layer.arrange(Layout(4, 4, (Block((0, 4), (0, 2), 0), Block((0, 4), (2, 4), None))))
    with torch.no_grad():
        layer.left.fill_(1.0)
    assert layer.dense().detach().numpy().tolist() == [[0.0, 0.0, 1.0, 1.0]] * 4
    x = torch.randn(3, 4, dtype=torch.float64)
    torch.testing.assert_close(layer(x), x @ layer.dense().T + layer.bias)
