"""Linear networks: the closed form against exact rational arithmetic, its point, and rounding in one pass."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from edgepde_runtime.blocks import PackedBlocks
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from support.block_matrices import random_blocks

from edgepde.certify.engine import bound_difference, bound_range
from edgepde.certify.family import Family
from edgepde.certify.linear import bound_linear, range_linear
from edgepde.certify.network import Affine, Blocks, Concat, Gather, Input, Network, Node, Pointwise, Scale, Sum, tensor
from edgepde.certify.rounding import Arithmetic, bound_rounding
from edgepde.certify.sensor import Accuracy, bound_sensitivity

Rows = list[list[Fraction]]


def random_linear(rng: np.random.Generator, d: int, m: int) -> Network:
    """Any kinds of linear nodes, twenty at most, then a matrix to m outputs."""
    nodes: list[Node] = [Input(d)]
    widths = [d]
    for _ in range(int(rng.integers(1, 8))):
        source = int(rng.integers(0, len(nodes)))
        n = widths[source]
        kind = int(rng.integers(0, 6))
        if kind == 0:
            k = int(rng.integers(1, 6))
            nodes.append(Affine((source,), tensor(rng.standard_normal((k, n))), tensor(rng.standard_normal(k))))
        elif kind == 1:
            bias = tensor(rng.standard_normal(n) * rng.integers(0, 2))
            nodes.append(Scale((source,), tensor(rng.choice([1.0, 2.0, 0.3], n)), bias))
        elif kind == 2:
            nodes.append(Gather((source,), torch.from_numpy(rng.integers(0, n, int(rng.integers(1, 6))))))
        elif kind == 3:
            nodes.append(Concat((source, int(rng.integers(0, len(nodes))))))
        elif kind == 4:
            same = [i for i, w in enumerate(widths) if w == n]
            nodes.append(Sum((source, int(rng.choice(same)), source)))
        else:
            k = int(rng.integers(2, 6))
            apart = bool(rng.integers(0, 2)) or n < 2
            parts = [random_blocks(rng, k, n, dtype=t, apart=apart) for t in (np.float32, np.float16)] if n > 1 else []
            nodes.append(
                Blocks((source,), tuple(parts), tensor(rng.standard_normal(k)))
                if parts
                else Affine((source,), tensor(rng.standard_normal((k, n))), tensor(np.zeros(k)))
            )
        widths = [*Network(tuple(nodes)).widths]
    last = len(nodes) - 1
    nodes.append(Affine((last,), tensor(rng.standard_normal((m, widths[last]))), tensor(rng.standard_normal(m))))
    return Network(tuple(nodes))


def exact(net: Network) -> Rows:
    """Every output as coefficients of x and the constant, in rational numbers."""
    d = net.dimension
    made: list[Rows] = [[[Fraction(int(i == j)) for j in range(d)] + [Fraction(0)] for i in range(d)]]
    for node in net.nodes[1:]:
        given = [made[s] for s in node.sources]
        if isinstance(node, Affine):
            made.append(_times(node.weight.numpy(), given[0], node.bias.numpy()))
        elif isinstance(node, Scale):
            made.append(_times(np.diag(node.weight.numpy()), given[0], node.bias.numpy()))
        elif isinstance(node, Gather):
            made.append([given[0][i] for i in node.index.tolist()])
        elif isinstance(node, Concat):
            made.append([row for rows in given for row in rows])
        elif isinstance(node, Sum):
            made.append([[sum(c, Fraction(0)) for c in zip(*rows, strict=True)] for rows in zip(*given, strict=True)])
        else:
            assert isinstance(node, Blocks)
            made.append(_blocks(node, given[0]))
    return made[-1]


def _times(weight: np.ndarray, rows: Rows, bias: np.ndarray) -> Rows:
    made = []
    for w, c in zip(weight.tolist(), bias.tolist(), strict=True):
        row = [
            sum((Fraction(v) * r[j] for v, r in zip(w, rows, strict=True) if v), Fraction(0)) for j in range(_n(rows))
        ]
        row[-1] += Fraction(c)
        made.append(row)
    return made


def _n(rows: Rows) -> int:
    return len(rows[0])


def _blocks(node: Blocks, rows: Rows) -> Rows:
    total = [[Fraction(0)] * _n(rows) for _ in range(len(node.bias))]
    for i, c in enumerate(node.bias.tolist()):
        total[i][-1] = Fraction(c)
    for part in node.parts:
        s: Rows = []
        for start, _, right in part.right_factors():
            s += _times(right.T.astype(np.float64), rows[start : start + len(right)], np.zeros(right.shape[1]))
        s += rows
        for start, index, left in part.left_factors():
            if not len(index):
                continue
            made = _times(left.T.astype(np.float64), [s[i] for i in index], np.zeros(left.shape[1]))
            for i, row in enumerate(made):
                total[start + i] = [a + b for a, b in zip(total[start + i], row, strict=True)]
    return total


def supremum(f: Network, g: Network, box: Box) -> list[Fraction]:
    """sup |f - g| over the box per output, exactly."""
    low, high = ([Fraction(v) for v in side] for side in (box.low, box.high))
    made = []
    for a, b in zip(exact(f), exact(g), strict=True):
        change = [x - y for x, y in zip(a, b, strict=True)]
        most = change[-1] + sum(max(c * lo, c * hi) for c, lo, hi in zip(change, low, high, strict=False))
        least = change[-1] + sum(min(c * lo, c * hi) for c, lo, hi in zip(change, low, high, strict=False))
        made.append(max(most, -least))
    return made


def random_box(rng: np.random.Generator, d: int) -> Box:
    low = rng.uniform(-2.0, 1.0, d)
    return Box(low.tolist(), (low + rng.uniform(1e-3, 2.0, d)).tolist())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_the_closed_form_is_the_supremum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d, m = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    f, box = random_linear(rng, d, m), random_box(rng, d)
    g = random_linear(rng, d, m) if seed % 2 else _nudged(f)
    made, true = bound_linear(f, g, box), supremum(f, g, box)
    scale = 1.0 + max(float(abs(c)) for row in exact(f) for c in row)
    for i, sup in enumerate(true):
        assert Fraction(float(made.found[i])) <= sup <= Fraction(float(made.value[i]))
        assert made.value[i] - made.found[i] <= 1e-8 * scale
    reached = (f(torch.from_numpy(made.points)) - g(torch.from_numpy(made.points))).abs().numpy().max(axis=0)
    assert reached.max() == pytest.approx(made.value.max(), rel=1e-8, abs=1e-10 * scale)
    assert box.contains(made.points).all()


def _nudged(f: Network) -> Network:
    last = f.nodes[-1]
    assert isinstance(last, Affine)
    return Network((*f.nodes[:-1], Affine(last.sources, last.weight * (1.0 + 1e-13), last.bias)))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_the_range_and_the_sensor_term_hold_and_are_near(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d, m = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    f, box = random_linear(rng, d, m), random_box(rng, d)
    made, rows = bound_range(f, box), exact(f)
    low, high = ([Fraction(v) for v in side] for side in (box.low, box.high))
    share = rng.uniform(0.01, 0.1, d)
    given_ = {name: Accuracy(float(s), bool(i % 2)) for i, (name, s) in enumerate(zip(box.names, share, strict=True))}
    moved = bound_sensitivity(f, box, given_)
    for i, row in enumerate(rows):
        sides = [sorted((c * lo, c * hi)) for c, lo, hi in zip(row, low, high, strict=False)]
        least, most = row[-1] + sum(s[0] for s in sides), row[-1] + sum(s[1] for s in sides)
        assert Fraction(float(made.low[i])) <= least
        assert most <= Fraction(float(made.high[i]))
        assert float(least) - made.low[i] <= 1e-8 * (1.0 + abs(float(least)))
        off = [
            abs(c) * Fraction(float(s)) * (max(abs(lo), abs(hi)) if j % 2 else 1)
            for j, (c, s, lo, hi) in enumerate(zip(row, share, low, high, strict=False))
        ]
        assert Fraction(float(moved.found[i])) <= sum(off) <= Fraction(float(moved.value[i]))
        assert moved.value[i] <= float(sum(off)) * (1.0 + 1e-6) + 1e-8


def test_a_family_is_a_box_of_its_coefficients() -> None:
    rng = np.random.default_rng(1)
    f, g = random_linear(rng, 5, 2), random_linear(rng, 5, 2)
    family = Family(rng.standard_normal(5), rng.standard_normal((2, 5)), [-1.0, -0.5], [1.0, 2.0], 0.1)
    made = bound_linear(f, g, family)
    a = rng.uniform([-1.0, -0.5], [1.0, 2.0], (4000, 2)).round(int(rng.integers(0, 2)) * 9)
    x = torch.from_numpy(family.at(a) + rng.choice([-0.1, 0.1], (4000, 5)))
    assert ((f(x) - g(x)).abs().amax(dim=0).numpy() <= made.value).all()
    at = torch.from_numpy(made.points)
    assert (f(at) - g(at)).abs().numpy().max() == pytest.approx(made.value.max(), rel=1e-9)


def test_the_engine_takes_it_and_the_same_is_nothing() -> None:
    rng = np.random.default_rng(2)
    part = random_blocks(rng, 30, 40)
    net = Network((Input(40), Blocks((0,), (part,), torch.zeros(30).double())))
    box = Box([-1.0] * 40, [1.0] * 40)
    assert bound_difference(net, net, box).how == "equal"
    assert not bound_difference(net, net, box).value.any()
    dense = Network((Input(40), Affine((0,), tensor(part.dense() + 1e-3), torch.zeros(30).double())))
    made = bound_difference(dense, net, box, target=0.05)
    assert made.how == "linear"
    assert made.proved
    assert made.value == pytest.approx(np.full(30, 0.04), rel=1e-9)
    assert not bound_difference(dense, net, box, target=0.03).proved


def test_what_is_not_linear_or_does_not_fit_is_refused() -> None:
    net = Network((Input(2), Affine((0,), tensor(np.eye(2)), tensor(np.zeros(2))), Pointwise((1,), "tanh")))
    box = Box([-1.0, -1.0], [1.0, 1.0])
    with pytest.raises(InputError, match="node 2 expected to be linear, got Pointwise"):
        bound_linear(net, net, box)
    line = Network((Input(2), Affine((0,), tensor(np.eye(2)), tensor(np.zeros(2)))))
    with pytest.raises(InputError, match="expected 3 inputs as in the box, got 2"):
        bound_linear(line, line, Box([-1.0] * 3, [1.0] * 3))


def test_infinite_numbers_have_no_bound() -> None:
    weight = tensor(np.full((1, 2), 1e300))
    none = torch.zeros(1).double()
    nodes = (Input(2), Affine((0,), weight, none), Affine((1,), tensor([[1e300]]), none))
    other = Network((Input(2), Affine((0,), weight, none)))
    made = bound_linear(Network(nodes), other, Box([-1.0, -1.0], [1.0, 1.0]))
    assert np.isinf(made.value).all()
    assert not made.found.any()


def one_block(right: list[float], left: float, dtype: type) -> PackedBlocks:
    """y = left right^T x."""
    groups = [np.array([[0, size, 1]], np.int64) for size in (len(right), 1)]
    factors = [np.array(values, dtype) for values in (right, [left])]
    return PackedBlocks(1, len(right), groups[0], factors[0], groups[1], np.zeros(1, np.int64), factors[1])


@pytest.mark.parametrize("inside", [True, False])
def test_what_overflows_on_the_way_has_no_rounding_bound(inside: bool) -> None:
    """The result is small, but what it is made of is beyond float32."""
    none = tensor(np.zeros(1))
    big, small = (float(np.float32(v)) for v in (1e30, 1e-30))
    within: list[Node] = [Blocks((0,), (one_block([big], small, np.float32),), none)]
    between: list[Node] = [Affine((0,), tensor([[big]]), none), Affine((1,), tensor([[small]]), none)]
    net = Network((Input(1), *(within if inside else between)))
    assert bound_rounding(net, Box((-1e8,), (1e8,))).rounding[0] < 1e3
    assert bound_rounding(net, Box((-1e9,), (1e9,))).rounding[0] == np.inf
    assert bound_rounding(net, Box((-1e9,), (1e9,)), Arithmetic("float64")).rounding[0] < 1e3


def test_factors_are_numbers_of_the_arithmetic() -> None:
    """What is proved of float64 factors says nothing of a float32 device."""
    net = Network((Input(1), Blocks((0,), (one_block([0.1], 1.0, np.float64),), tensor(np.zeros(1)))))
    bound_rounding(net, Box((-1.0,), (1.0,)), Arithmetic("float64"))
    with pytest.raises(InputError, match="node 1 right expected float32 numbers"):
        bound_rounding(net, Box((-1.0,), (1.0,)))


def test_blocks_that_read_one_entry_often_are_sums() -> None:
    """A thousand columns of one block that read the same input are added up, and float64 rounds."""
    right = [2.0**40, *np.random.default_rng(0).uniform(0.5, 1.0, 999) * 2.0**-13]
    repeated = Gather((0,), torch.zeros(len(right), dtype=torch.int64))
    f = Network((Input(1), repeated, Blocks((1,), (one_block(right, 1.0, np.float64),), tensor(np.zeros(1)))))
    g = Network((Input(1), Affine((0,), tensor([[0.0]]), tensor([0.0]))))
    bound, exact = bound_linear(f, g, Box((-1.0,), (1.0,))), sum(map(Fraction, right))
    assert Fraction(float(bound.found[0])) <= exact <= Fraction(float(bound.value[0]))


def test_a_range_beyond_float64_is_unbounded() -> None:
    """No finite end stands for an infinite one."""
    net = Network((Input(1), Affine((0,), tensor([[1e200]]), tensor([0.0]))))
    made = range_linear(net, Box((-1e200,), (1e200,)))
    assert made.low[0] == -np.inf
    assert made.high[0] == np.inf
