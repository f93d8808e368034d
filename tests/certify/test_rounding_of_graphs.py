"""Random graphs as generated C and on the reference backend stay within the rounding bound of what is read of them."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.backends import reference
from edgepde_runtime.box import Box
from edgepde_runtime.onnxfile import parse
from numpy.typing import NDArray
from support.certified_graphs import graph
from support.generated import Generated
from support.kernel_libraries import needs_cc
from support.longer import values
from support.random_graphs import Net

from edgepde.certify import rules
from edgepde.certify.from_graph import from_graph
from edgepde.certify.network import Network
from edgepde.certify.rounding import Arithmetic, bound_rounding

Floats = NDArray[np.floating]
POINTS, GRAPHS, BATCHES = 3000, 10, 3
# What numpy's functions miss by, and one that cancels in numpy's form and is left out.
LIBRARY_ULPS = 4.0
CANCELS = {"Gelu"}


def points(net: Net, seed: int) -> Floats:
    """Rows in the box, with its corners and points near 0."""
    d = net.inputs["x"]
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, (POINTS, d))
    x[: POINTS // 6] *= 10.0 ** rng.uniform(-6.0, 0.0, (POINTS // 6, d))
    corners = list(itertools.product((-1.0, 0.0, 1.0), repeat=d))
    x[-len(corners) :] = corners
    return x.astype(np.float32)


def excess(g: Network, how: Arithmetic, x: Floats, computed: Floats, box: Box | None = None) -> float:
    """The largest deviation as a share of its bound, 0 where there is no finite one."""
    box = box or Box([-1.0] * g.dimension, [1.0] * g.dimension)
    made = bound_rounding(g, box, how, seconds=600.0, boxes=64)
    allowed = made.rounding + made.activation
    off = np.abs(computed.reshape(len(x), -1) - values(g, x.astype(np.float64))).max(axis=0)
    share = np.where(off == 0.0, 0.0, off / np.where(allowed == 0.0, np.finfo(float).tiny, allowed))
    return float(np.max(np.where(np.isfinite(allowed), share, 0.0)))


@needs_cc
@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_generated_c_stays_within_the_bound(batch: int, dtype: str) -> None:
    nets = {str(seed): graph(seed) for seed in range(GRAPHS * batch, GRAPHS * (batch + 1))}
    models = {name: net.encoded(dtype) for name, net in nets.items()}
    with tempfile.TemporaryDirectory() as folder:
        made = Generated(models, Path(folder), "-O1").on("scalar")
        for name, net in nets.items():
            x = points(net, int(name)).astype(dtype)
            g = from_graph(parse(models[name]))
            computed = made[name]({"x": x})[net.outputs[0]]
            how = Arithmetic(dtype="float32" if dtype == "float32" else "float64")
            assert excess(g, how, x, computed) <= 1.0, [s.op for s in net.steps]


@pytest.mark.parametrize("batch", range(BATCHES))
def test_the_reference_backend_stays_within_the_bound_of_any_order(batch: int) -> None:
    how = Arithmetic(order="any", ulps=dict.fromkeys(rules.functions(), LIBRARY_ULPS) | {"relu": 0.0})
    for seed in range(1000 + GRAPHS * batch, 1000 + GRAPHS * (batch + 1)):
        net = graph(seed, everything=True)
        if CANCELS & {s.op for s in net.steps}:
            continue
        model, x = net.encoded("float32"), points(net, seed)
        computed = np.asarray(reference.load(model).run({"x": x})[net.outputs[0]])
        assert excess(from_graph(parse(model)), how, x, computed) <= 1.0, [s.op for s in net.steps]


def alone(op: str, *names: str, width: int, **attributes: Any) -> Net:
    """One op of columns a, b of x [M, 2], of both, x, or of constants."""
    net = Net("float32", {"x": 2})
    made = {"x": "x", "3": net.hold(np.array(3.0)), "1": net.hold(np.array([1]))}
    made |= {c: net.add("Gather", "x", net.hold(np.array([i])), width=1, axis=1) for i, c in enumerate("ab")}
    made["sigmoid"] = net.add("Sigmoid", "x", width=2)
    made["wide"] = net.add("Concat", "x", "x", made["a"], width=5, axis=1)
    net.outputs = [net.add(op, *(made[n] for n in names), width=width, **attributes)]
    return net


ANYWHERE = ("Cos", "Cosh", "Erf", "Exp", "Gelu", "Reciprocal", "Sigmoid", "Sin", "Sinh", "Softplus", "Tanh")
POSITIVE = ("Log", "Sqrt")
ALONE: dict[str, Net] = {
    **{name: alone(name, "x", width=2) for name in (*ANYWHERE, *POSITIVE)},
    "Gelu by tanh": alone("Gelu", "x", width=2, approximate="tanh"),
    "Silu": alone("Mul", "x", "sigmoid", width=2),
    "Elu": alone("Elu", "x", width=2, alpha=0.7),
    "Selu": alone("Selu", "x", width=2),
    "LeakyRelu": alone("LeakyRelu", "x", width=2, alpha=0.1),
    "HardSigmoid": alone("HardSigmoid", "x", width=2, alpha=0.3, beta=0.4),
    "Add": alone("Add", "a", "b", width=1),
    "Sub": alone("Sub", "a", "b", width=1),
    "Mul": alone("Mul", "a", "b", width=1),
    "Div": alone("Div", "a", "b", width=1),
    "Div by a constant": alone("Div", "x", "3", width=2),
    "Mul by a constant": alone("Mul", "x", "3", width=2),
    "Add a constant": alone("Add", "x", "3", width=2),
    "Pow": alone("Pow", "x", "3", width=2),
    "Square": alone("Mul", "a", "a", width=1),
    "ReduceSum": alone("ReduceSum", "wide", "1", width=1),
    "ReduceMean": alone("ReduceMean", "wide", "1", width=1),
}
EXACT: dict[str, Net] = {
    "Abs": alone("Abs", "x", width=2),
    "Neg": alone("Neg", "x", width=2),
    "Relu": alone("Relu", "x", width=2),
    "Concat": alone("Concat", "b", "a", width=2, axis=1),
}
LINEAR_ABOVE_0 = ("Elu", "LeakyRelu", "Selu")
# Least share of the bound that must be seen: the bound is of this op, not of something larger.
SEEN = 0.12


@needs_cc
@pytest.mark.parametrize(("low", "high"), [(0.3, 1.7), (-1.7, -0.3)])
def test_each_op_alone_stays_within_its_bound_and_comes_near_it(low: float, high: float) -> None:
    nets = {**ALONE, **EXACT}
    models = {name: net.encoded("float32") for name, net in nets.items()}
    x = np.random.default_rng(0).uniform(low, high, (POINTS, 2)).astype(np.float32)
    box = Box([low] * 2, [high] * 2)
    with tempfile.TemporaryDirectory() as folder:
        made = Generated(models, Path(folder), "-O1").on("scalar")
        for name, net in nets.items():
            if low < 0.0 and name in POSITIVE:
                continue
            computed = made[name]({"x": x})[net.outputs[0]]
            share = excess(from_graph(parse(models[name])), Arithmetic(), x, computed, box)
            assert share <= 1.0, name
            exact = name in EXACT or (low > 0.0 and name in LINEAR_ABOVE_0)
            assert exact or share >= SEEN, (name, share)
