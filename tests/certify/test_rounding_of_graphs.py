"""Random graphs as generated C and on the reference backend stay within the rounding bound of what is read of them."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime.backends import reference
from edgepde_runtime.box import Box
from edgepde_runtime.onnxfile import parse
from numpy.typing import NDArray
from support.certified_graphs import graph
from support.generated import Generated, needs_cc
from support.longer import values
from support.random_graphs import Net

from edgepde.certify import rules
from edgepde.certify.from_graph import from_graph
from edgepde.certify.network import Network
from edgepde.certify.rounding import Arithmetic, RoundingBound, bound_rounding

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


def bound(g: Network, how: Arithmetic) -> RoundingBound:
    return bound_rounding(g, Box([-1.0] * g.dimension, [1.0] * g.dimension), how, seconds=600.0, boxes=64)


def excess(g: Network, how: Arithmetic, x: Floats, computed: Floats) -> float:
    """The largest deviation as a share of its bound, 0 where there is no finite one."""
    made = bound(g, how)
    allowed = made.rounding + made.activation
    off = np.abs(computed.reshape(len(x), -1) - values(g, x.astype(np.float64))).max(axis=0)
    return float(np.max(np.where(np.isfinite(allowed), off / allowed, 0.0)))


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
