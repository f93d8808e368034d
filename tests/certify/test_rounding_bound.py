"""Rounding over a box: float32 evaluations in several orders stay within it, and it is small where it should be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from support.certified_pairs import SHAPES, SMOOTH, Layers, layers, network
from support.longer import evaluate

from edgepde.certify import rounding
from edgepde.certify.convolution import AxisMatrix
from edgepde.certify.network import Affine, Gather, Input, Network, Pointwise, Product, Scale, Sum
from edgepde.certify.rounding import Arithmetic, bound_rounding

F32 = NDArray[np.float32]
BOX = Box([-1.0, -1.0], [1.0, 1.0])


def narrow(net: Layers) -> Layers:
    """Weights that are float32 numbers."""
    return [(w.astype(np.float32).astype(np.float64), b.astype(np.float32).astype(np.float64)) for w, b in net]


def fma(a: F32, b: F32, c: F32) -> F32:
    """a b + c rounded once: the product is exact in float64, the sum nearly always right."""
    return (a.astype(np.float64) * b.astype(np.float64) + c.astype(np.float64)).astype(np.float32)


def chunked(weight: F32, bias: F32, x: F32) -> F32:
    """The kernels' order: chains of 16 added to the bias one after the other."""
    total = np.broadcast_to(bias, (len(x), len(bias))).copy()
    for first in range(0, weight.shape[1], 16):
        chain = np.zeros_like(total)
        for k in range(first, min(first + 16, weight.shape[1])):
            chain = fma(weight[None, :, k], x[:, k, None], chain)
        total = total + chain
    return total


def computed(net: Layers, x: F32, order: str, rng: np.random.Generator) -> F32:
    """A tanh network in float32; order "any" sums in a random one."""
    for i, (weight, bias) in enumerate(net):
        w, b = weight.astype(np.float32), bias.astype(np.float32)
        if order == "c99":
            x = chunked(w, b, x)
        else:
            terms = np.concatenate(
                [np.broadcast_to(b[None, :, None], (len(x), len(b), 1)), w[None] * x[:, None]], axis=2
            )
            x = np.cumsum(terms[:, :, rng.permutation(terms.shape[2])], axis=2, dtype=np.float32)[:, :, -1]
        if i < len(net) - 1:
            x = np.tanh(x.astype(np.float64)).astype(np.float32)
    return x


@pytest.mark.parametrize("order", ["c99", "any"])
@pytest.mark.parametrize("seed", range(4))
def test_float32_stays_within_the_bound(order: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = narrow(layers(rng, [2, [40, 7, 3, 1][seed], 33, 2], [1.0, 2.0, 8.0, 1.0][seed]))
    made = bound_rounding(
        network(net), BOX, Arithmetic(order="c99" if order == "c99" else "any"), seconds=600.0, boxes=4000
    )
    x = rng.uniform(-1.0, 1.0, (1500, 2)).astype(np.float32)
    exact = evaluate(network(net), x.astype(np.float64))[0]
    off = np.abs(computed(net, x, order, rng) - exact).max(axis=0)
    assert (off <= made.rounding + made.activation).all()


def test_the_order_that_is_known_is_worth_much() -> None:
    net = network(narrow(layers(np.random.default_rng(0), [2, 64, 64, 1], 1.0)))
    known, unknown = (
        bound_rounding(net, BOX, seconds=600.0),
        bound_rounding(net, BOX, Arithmetic(order="any"), seconds=600.0),
    )
    assert known.rounding[0] < 0.2 * unknown.rounding[0]
    assert known.activation[0] == pytest.approx(unknown.activation[0], rel=0.2)


def test_boxes_come_close_to_the_formula_at_points() -> None:
    net = network(narrow(layers(np.random.default_rng(0), [2, 32, 32, 1], 1.0)))
    made = bound_rounding(net, BOX, seconds=600.0)
    assert made.rounding[0] + made.activation[0] <= 1.25 * made.at_points.sum()


def test_float64_is_as_much_smaller_as_its_unit() -> None:
    net = network(narrow(layers(np.random.default_rng(0), [2, 16, 16, 1], 1.0)))
    coarse, fine = (bound_rounding(net, BOX, Arithmetic(dtype=kind), seconds=600.0) for kind in ("float32", "float64"))
    assert fine.rounding[0] / coarse.rounding[0] == pytest.approx(2.0**-29, rel=0.3)


def test_ulps_given_are_used_and_count_linearly() -> None:
    net = network(narrow(layers(np.random.default_rng(0), [2, 16, 16, 1], 1.0)))
    one, four = (bound_rounding(net, BOX, Arithmetic(ulps={"tanh": n}), seconds=600.0) for n in (1.0, 4.0))
    assert four.activation[0] == pytest.approx(4.0 * one.activation[0], rel=0.05)


def test_every_function_has_its_ulps() -> None:
    from edgepde.certify import rules

    for name in rules.functions():
        assert rounding.own_ulps(name, "float32", 3) >= 0.0
    assert rounding.own_ulps("tanh", "float32") == 2.0


def test_overflow_has_no_bound() -> None:
    net = network([(np.full((1, 2), 2.0**100), np.zeros(1)), (np.full((1, 1), 2.0**100), np.zeros(1))], "relu")
    made = bound_rounding(net, BOX, seconds=600.0, boxes=50)
    assert np.isinf(made.rounding).all()


@pytest.mark.parametrize("how", [Arithmetic(), Arithmetic(order="any"), Arithmetic("float64")])
def test_partial_sums_that_overflow_have_no_bound(how: Arithmetic) -> None:
    """3 h + 3 h - 3 h and the mean of four h with h up to half of the largest number, or much less."""
    of = torch.tensor([[3.0, 3.0, -3.0]], dtype=torch.float64)
    none = torch.zeros(1, dtype=torch.float64)
    largest = 2.0 ** (127 if how.dtype == "float32" else 1023)
    for share, finite in ((0.25, False), (2.0**-10, True)):
        first = Affine((0,), torch.full((4, 1), share * largest, dtype=torch.float64), torch.zeros(4).double())
        moving = Network(
            (Input(1), first, Pointwise((1,), "relu"), Gather((2,), torch.arange(3)), Affine((3,), of, none))
        )
        linear = Network((Input(1), first, Gather((1,), torch.arange(3)), Affine((2,), of, none)))
        line = AxisMatrix(
            (1,), torch.full((1, 4), 0.25).double(), none, (1, 4), 1, roundings=7, sparse=True, computed=True
        )
        mean = Network((Input(1), replace(first, weight=4.0 * first.weight), replace(line, sources=(1,))))
        for net in (moving, linear, mean):
            made = bound_rounding(net, Box([0.5], [1.0]), how, boxes=4)
            assert np.isfinite(made.rounding).all() == finite


def test_sums_products_and_scales() -> None:
    rng = np.random.default_rng(3)
    w = torch.from_numpy(rng.normal(size=(5, 2)).astype(np.float32).astype(np.float64))
    v = torch.from_numpy(rng.normal(size=5).astype(np.float32).astype(np.float64))
    nodes = (Input(2), Affine((0,), w, v), Pointwise((1,), "tanh"), Product((1, 2)), Scale((3,), v, v), Sum((4, 2, 1)))
    net = Network(nodes)
    made = bound_rounding(net, BOX, Arithmetic(order="any"), seconds=600.0, boxes=4000)
    x = rng.uniform(-1.0, 1.0, (4000, 2)).astype(np.float32)
    z = (x @ w.numpy().astype(np.float32).T + v.numpy().astype(np.float32)).astype(np.float32)
    h = np.tanh(z.astype(np.float64)).astype(np.float32)
    y = (z * h) * v.numpy().astype(np.float32) + v.numpy().astype(np.float32) + h + z
    exact = net(torch.from_numpy(x.astype(np.float64))).numpy()
    assert (np.abs(y - exact).max(axis=0) <= made.rounding + made.activation).all()
    assert (made.rounding < 1e-4).all()


@pytest.mark.parametrize("activation", [*SMOOTH, "relu"])
@pytest.mark.parametrize("shape", SHAPES, ids=[s[0] for s in SHAPES])
def test_all_kinds_of_networks_have_a_finite_bound(activation: str, shape: tuple[str, list[int], float]) -> None:
    net = narrow(layers(np.random.default_rng(0), [2, *shape[1], 1], shape[2]))
    made = bound_rounding(network(net, activation), BOX, seconds=600.0, boxes=100)
    assert np.isfinite(made.rounding).all()
    assert np.isfinite(made.activation).all()


def test_weights_the_device_cannot_hold_are_refused() -> None:
    with pytest.raises(InputError, match="node 1 weight expected float32 numbers"):
        bound_rounding(network([(np.array([[0.1, 0.2]]), np.zeros(1))]), BOX)
    with pytest.raises(InputError, match="expected 2 inputs"):
        bound_rounding(network([(np.ones((1, 3)), np.zeros(1))]), BOX)


def test_forgotten_sums_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    net = narrow(layers(rng, [2, 3], 1.0))
    x = rng.uniform(-1.0, 1.0, (500, 2)).astype(np.float32)
    off = np.abs(computed(net, x, "c99", rng) - evaluate(network(net), x.astype(np.float64))[0]).max(axis=0)
    assert (off <= bound_rounding(network(net), BOX, boxes=500).rounding).all()
    monkeypatch.setattr(rounding.Arithmetic, "gamma", lambda *_: 0.0)
    assert (off > bound_rounding(network(net), BOX, boxes=500).rounding).all()


def test_forgotten_functions_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    net = [(np.array([[1.0]]), np.array([0.0])), (np.array([[1.0]]), np.array([0.0]))]
    x = np.linspace(0.6, 1.0, 500, dtype=np.float32)[:, None]
    exact = np.tanh(x.astype(np.longdouble))
    coarse = exact.astype(np.float32) + 8 * np.spacing(exact.astype(np.float32))
    off, box = np.abs(coarse - exact).max(), Box([0.6], [1.0])
    held = bound_rounding(network(net), box, Arithmetic(ulps={"tanh": 9.0}))
    assert off <= held.rounding[0] + held.activation[0]
    monkeypatch.setattr(rounding.Arithmetic, "miss", lambda _self, _node, size: 0.0 * size)
    made = bound_rounding(network(net), box, Arithmetic(ulps={"tanh": 9.0}))
    assert off > made.rounding[0] + made.activation[0]


@pytest.mark.parametrize("factor", [1e2, 1e3, 1e12])
def test_cliffs_cost_no_more_than_their_height_and_hold(factor: float) -> None:
    """Slopes beyond what float32 resolves: a unit may be anywhere in its range, and its successors with it."""
    rng = np.random.default_rng(int(factor) % 97)
    net = narrow(layers(rng, [2, 6, 5, 1], factor))
    net[-1] = (net[-1][0] / np.float32(factor), net[-1][1] / np.float32(factor))
    net = narrow(net)
    made = bound_rounding(network(net), BOX, seconds=600.0, boxes=3000)
    height = 2.0 * float(np.abs(net[-1][0]).sum())
    assert float(made.rounding[0] + made.activation[0]) <= 1.001 * height
    if factor > 1e6:  # beyond what long double resolves
        return
    x = (rng.random((4000, 2)) * 2.0 - 1.0).astype(np.float32)
    exact, slack = evaluate(network(net), x.astype(np.float64))
    off = np.abs(computed(net, x, "c99", rng).astype(np.float64) - exact) - slack
    assert 0.0 < off.max() <= made.rounding[0] + made.activation[0]
