"""Layers in blocks: exact as affine maps and as layers of two steps, followed as pairs, their rounding bounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from edgepde_runtime.blocks import PackedBlocks
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError, UnsupportedModel
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support import longer
from support.adverse import LESS, _power
from support.block_matrices import random_blocks
from support.blocks_kernel import defined

from edgepde.certify import align, propagate
from edgepde.certify.engine import bound_difference, bound_range, same
from edgepde.certify.expanding import expanded, factors, parted
from edgepde.certify.from_module import from_module
from edgepde.certify.layering import Layer, layers
from edgepde.certify.network import Affine, Blocks, Gather, Input, Network, Node, Pointwise, Scale, Sum, tensor
from edgepde.certify.rounding import Arithmetic, bound_rounding
from edgepde.network.module import NetworkModule

BOX = Box([-1.0, -1.0], [1.0, 1.0])
UNIT = 2.0**-24
F64 = NDArray[np.float64]
Long = NDArray[np.longdouble]


def numbers(rng: np.random.Generator, *shape: int, size: float = 1.0) -> torch.Tensor:
    return tensor((size * rng.standard_normal(shape)).astype(np.float32))


def wide(seed: int, n: int = 20, parts: int = 2, apart: bool = True) -> Network:
    """2 - n - n - 1 with a middle matrix in blocks, in an order of its own."""
    rng = np.random.default_rng(seed)
    kinds = (np.float32, np.float16)[:parts]
    held = tuple(random_blocks(rng, n, n, dtype=kind, apart=apart) for kind in kinds)
    order = torch.from_numpy(rng.permutation(n))
    nodes: list[Node] = [Input(2), Affine((0,), numbers(rng, n, 2), numbers(rng, n)), Pointwise((1,), "tanh")]
    nodes += [Gather((2,), order), Blocks((3,), held, numbers(rng, n)), Gather((4,), torch.argsort(order))]
    nodes += [Pointwise((5,), "tanh"), Affine((6,), numbers(rng, 1, n, size=0.3), numbers(rng, 1))]
    return Network(tuple(nodes))


def dense(net: Network, off: float = 0.0) -> Network:
    """The same chain with the middle matrix written out, off by so much."""
    first, middle, last = net.nodes[1], net.nodes[4], net.nodes[7]
    order, back = net.nodes[3], net.nodes[5]
    assert isinstance(middle, Blocks)
    assert isinstance(order, Gather)
    assert isinstance(back, Gather)
    whole = sum(part.dense() for part in middle.parts)[np.ix_(back.index.numpy(), back.index.numpy())]
    whole = whole + off * np.random.default_rng(9).standard_normal(whole.shape)
    nodes = (Input(2), first, Pointwise((1,), "tanh"), Affine((2,), tensor(whole), middle.bias[back.index]))
    return Network((*nodes, Pointwise((3,), "tanh"), replace(last, sources=(4,))))  # type: ignore[type-var]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_affine_maps_say_the_same_as_blocks(seed: int, apart: bool) -> None:
    rng = np.random.default_rng(seed)
    m, n = int(rng.integers(2, 12)), int(rng.integers(2, 12))
    part = random_blocks(rng, m, n, rank=4, apart=apart)
    net = Network((Input(n), Blocks((0,), (part, part), numbers(rng, m))))
    thin, left, entries = factors(part)
    numbers_kept = left.weight.count_nonzero() + (0 if thin is None else thin.weight.count_nonzero())
    assert int(numbers_kept) == np.count_nonzero(part.left) + np.count_nonzero(part.right)
    assert (entries is None) or not apart
    x = torch.from_numpy(rng.standard_normal((5, n)))
    assert torch.allclose(net(x), expanded(net)(x), rtol=1e-12, atol=1e-12)
    assert torch.allclose(net(x), parted(net)(x), rtol=1e-12, atol=1e-12)
    magnitudes = np.abs(part.wide()) @ np.concatenate([np.abs(part.thin()) @ np.ones(n), np.ones(n)])
    assert (part.absolute(np.ones(n)) >= magnitudes * (1.0 - 1e-12)).all()


@pytest.mark.parametrize("parts", [1, 2])
def test_a_module_is_read_back_as_the_same_network(parts: int) -> None:
    module = NetworkModule(wide(1, parts=parts))
    assert same(expanded(from_module(module, 2)), expanded(module.network()))


def test_other_numbers_are_another_network() -> None:
    net = wide(1)
    middle = net.nodes[4]
    assert isinstance(middle, Blocks)
    part = replace(middle.parts[0], left=middle.parts[0].left * np.float32(1.5))
    other = Network((*net.nodes[:4], replace(middle, parts=(part, middle.parts[1])), *net.nodes[5:]))
    assert same(net, net)
    assert not same(net, other)


@pytest.mark.parametrize("swapped", [False, True])
def test_dense_and_blocks_are_followed_as_a_pair(swapped: bool) -> None:
    g = wide(2, n=32)
    f = dense(g, 1e-4)
    x = torch.rand(500, 2).double() * 2.0 - 1.0
    pair = align.paired(f, g, x)
    assert pair is not None
    assert propagate.alike(*pair)
    assert torch.equal(pair[0](x), f(x)) or torch.allclose(pair[0](x), f(x), atol=1e-14)
    assert torch.allclose(pair[1](x), g(x), atol=1e-13)
    made = bound_difference(*((g, f) if swapped else (f, g)), BOX, seconds=60.0)
    assert made.how == "pair"
    assert made.proved
    assert made.tightness[0] < 1.2


def test_layers_are_exact_or_none() -> None:
    net = wide(3)
    made = layers(net)
    assert made is not None
    assert len(made) == 5
    x = h = torch.rand(50, 2).double()
    for step in made:
        h = torch.tanh(h) if isinstance(step, Pointwise) else step(h)
    assert torch.allclose(h, net(x), atol=1e-13)
    once = Affine((0,), tensor([[1.0, 1e-20]]), tensor([0.0]))
    inexact = Network((Input(2), once, Affine((0,), tensor([[1e-20, 1.0]]), tensor([0.0])), Sum((1, 2))))
    assert layers(inexact) is None
    triple = Network(
        (Input(2), *(Affine((i,), numbers(np.random.default_rng(i), 2, 2), tensor([0.0] * 2)) for i in range(3)))
    )
    assert layers(triple) is None


def grouped(node: Affine, h: Long, sign: F64, unit: float) -> Long:
    """The kernel's order with every rounding half a unit in the last place, in the direction of `sign`."""
    y = np.zeros((len(h), len(node.bias)), np.longdouble)
    for group in node.groups:
        rows, columns = slice(*group.rows), group.columns.numpy()
        total = np.zeros((len(h), group.rows[1] - group.rows[0]), np.longdouble)
        for first in range(0, len(columns), 16):
            chain = np.zeros_like(total)
            for k in columns[first : first + 16]:
                exact = chain + h[:, k, None] * node.weight[rows, k].numpy()
                chain = exact + sign[:, rows] * LESS * unit * _power(exact)
            total = total + chain
            total = total + sign[:, rows] * LESS * unit * _power(total)
        y[:, rows] = y[:, rows] + total
        y[:, rows] = y[:, rows] + sign[:, rows] * LESS * unit * _power(y[:, rows])
    return y


def adverse(net: Network, x: F64, sign: float) -> Long:
    """A network without functions on a device whose every rounding goes one way."""
    found: list[Long] = [x.astype(np.longdouble)]
    for node in expanded(net).nodes[1:]:
        given = [found[s] for s in node.sources]
        ways = np.full((len(x), 1 << 12), sign)
        if isinstance(node, Affine) and node.groups:
            found.append(grouped(node, given[0], ways, UNIT))
        elif isinstance(node, Sum | Scale):
            exact = longer._value(node, given)
            found.append(exact + sign * LESS * UNIT * _power(exact))
        else:
            found.append(longer._value(node, given))
    return found[-1]


@pytest.mark.parametrize("order", ["c99", "any"])
@pytest.mark.parametrize("seed", range(4))
def test_the_worst_roundings_of_the_kernels_order_stay_within_the_bound(seed: int, order: str) -> None:
    rng = np.random.default_rng(seed)
    m, n = int(rng.integers(3, 50)), int(rng.integers(3, 50))
    parts = tuple(
        replace(p, right=np.abs(p.right), left=np.abs(p.left))
        for p in (
            random_blocks(rng, m, n, groups=2, rank=5, dtype=t, apart=bool(seed % 2)) for t in (np.float32, np.float16)
        )
    )
    net = Network((Input(n), Blocks((0,), parts, numbers(rng, m) * (seed % 2))))
    box = Box([0.25] * n, [1.0] * n)
    made = bound_rounding(net, box, Arithmetic(order="c99" if order == "c99" else "any"))
    x = np.concatenate([np.ones((1, n)), rng.uniform(0.25, 1.0, (30, n)).astype(np.float32).astype(np.float64)])
    exact = longer.values(expanded(net), x)
    off = np.max([np.abs(adverse(net, x, sign) - exact).max(axis=0) for sign in (-1.0, 1.0)], axis=0)
    assert (off <= made.rounding).all()
    if order == "c99":
        busy = made.rounding > 1e-7
        assert (made.rounding[busy] <= 12.0 * off[busy].astype(np.float64)).all()
    assert not made.activation.any()


def test_rounding_with_functions_covers_float32() -> None:
    net = wide(5, n=40)
    made = bound_rounding(net, BOX, seconds=60.0, boxes=2000)
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.0, 1.0, (400, 2)).astype(np.float32)
    with torch.no_grad():
        computed = NetworkModule(net)(torch.from_numpy(x)).double().numpy()
    exact = longer.values(expanded(net), x.astype(np.float64))
    assert (np.abs(computed - exact).max(axis=0) <= made.rounding + made.activation).all()
    assert made.rounding[0] < 1e-3


def test_blocks_count_what_is_really_added() -> None:
    rng = np.random.default_rng(0)
    n = 256
    part = random_blocks(rng, n, n, groups=16, rank=2, size=0.05)
    blocks = Network((Input(n), Blocks((0,), (part,), torch.zeros(n).double())))
    whole = Network((Input(n), Affine((0,), tensor(part.dense().astype(np.float32)), torch.zeros(n).double())))
    box = Box([-1.0] * n, [1.0] * n)
    small, large = (
        bound_rounding(blocks, box, Arithmetic(order="any")),
        bound_rounding(whole, box, Arithmetic(order="any")),
    )
    assert np.isfinite(small.rounding).all()
    assert small.rounding.max() < 30.0 * large.rounding.max()


def test_a_range_of_many_outputs_holds() -> None:
    part = random_blocks(np.random.default_rng(3), 40, 30)
    net = Network((Input(30), Blocks((0,), (part,), torch.zeros(40).double())))
    made = bound_range(net, Box([-1.0] * 30, [1.0] * 30))
    most = np.abs(part.dense()).sum(axis=1)
    assert made.high == pytest.approx(most, rel=1e-9, abs=1e-12)
    assert made.low == pytest.approx(-most, rel=1e-9, abs=1e-12)


def test_blocks_that_do_not_fit_are_refused() -> None:
    part = random_blocks(np.random.default_rng(3), 4, 3)
    with pytest.raises(InputError, match="node 1 blocks expected"):
        Network((Input(5), Blocks((0,), (part,), torch.zeros(4).double())))

    class Moving(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            arrays = [torch.from_numpy(a.copy()) for a in part.arrays]
            arrays[1] = arrays[1].double() * x[0, 0]
            return torch.ops.edgepde.block_low_rank_apply(x, *arrays, 4)

    with pytest.raises(UnsupportedModel, match="expected constant blocks"):
        from_module(Moving().double(), 3)


def as_layers(net: Network, x: torch.Tensor) -> torch.Tensor:
    made = layers(net)
    assert made is not None
    for step in made:
        x = step(x) if isinstance(step, Layer) else torch.tanh(x)
    return x


@pytest.mark.parametrize("inside", [False, True])
def test_a_bias_before_a_matrix_is_not_lost(inside: bool) -> None:
    """An entry that was only shifted is none of the vector's own."""
    rng = np.random.default_rng(0)
    ones, shift = tensor(np.ones(3)), tensor([0.5, 0.0, -2.0])
    first: list[Node] = [Input(3), Affine((0,), numbers(rng, 3, 3), numbers(rng, 3)), Pointwise((1,), "tanh")]
    begin: list[Node] = first if inside else [Input(3)]
    at = len(begin) - 1
    net = Network((*begin, Scale((at,), ones, shift), Affine((at + 1,), numbers(rng, 2, 3), numbers(rng, 2))))
    x = torch.from_numpy(rng.standard_normal((7, 3)))
    assert torch.allclose(as_layers(net, x), net(x), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("function", [False, True])
@pytest.mark.parametrize("kind", ["groups that meet", "a long group of columns", "a long group of rows"])
def test_sums_that_lose_every_term_stay_within_the_bound(kind: str, function: bool) -> None:
    """1 and then chunks of a little less than half a unit in its last place, each of which is lost."""
    chunks = 60
    little = 0.99 * UNIT / (1 if kind == "groups that meet" else 16)
    x = np.array([1.0, *[little] * (chunks if kind == "groups that meet" else 16 * chunks)], np.float32)
    x = np.insert(x[1:], 0, [x[0], *[0.0] * 15])
    n, one = len(x), np.ones(1, np.float32)
    every, none = np.arange(n), np.zeros((0, 3), np.int64)
    if kind == "groups that meet":
        part = PackedBlocks(1, n, none, one[:0], np.array([[0, 1, 1]] * n), every, np.ones(n, np.float32))
    elif kind == "a long group of rows":
        part = PackedBlocks(1, n, none, one[:0], np.array([[0, 1, n]]), every, np.ones(n, np.float32))
    else:
        groups = np.array([[0, n, 1]]), np.array([[0, 1, 1]])
        part = PackedBlocks(1, n, groups[0], np.ones(n, np.float32), groups[1], np.zeros(1, np.int64), one)
    nodes: list[Node] = [Input(n), Blocks((0,), (part,), tensor([0.0]))]
    nodes += [Pointwise((1,), "relu")] if function else []
    box = Box([float(v) * (1.0 - 2.0**-20) - 1e-30 for v in x], [float(v) for v in x])
    computed = float(defined([x[None], *part.arrays], 1)[0, 0])
    lost = float(x.astype(np.float64).sum()) - computed
    assert lost > 50.0 * UNIT
    assert lost <= float(bound_rounding(Network(tuple(nodes)), box, seconds=2.0).rounding[0]) < 4.0 * lost
