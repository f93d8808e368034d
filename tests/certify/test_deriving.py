"""mollified_derivative in the certificate: read from modules and from graphs alike, no device beyond its bound."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from edgepde_runtime.backends import reference
from edgepde_runtime.box import Box
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.onnxfile import parse
from edgepde_runtime.rooms import Room
from hypothesis import given, settings
from hypothesis import strategies as st
from support import onnx_writer as w
from support.generated import Generated
from support.kernel_libraries import needs_cc
from support.mollified_banks import banks
from support.rooms import cases_module
from torch import Tensor, nn

from edgepde.certify.convolution import AxisMatrix
from edgepde.certify.from_graph import from_graph
from edgepde.certify.from_module import from_module
from edgepde.certify.rounding import Arithmetic, bound_rounding
from edgepde.mollifier.mollified_derivative import mollified_derivative

ROOM = Room("mollified_derivative")
MADE, SHAPES = cases_module(ROOM).made, cases_module(ROOM).shapes()
POINTS = 400
# A window of 34 places, most of them zeros: chunks are of places, not of what is not zero.
GAPS = (1, (1, 1, 40), ((1, 1), (1, 1), (34, 34)), ((-1, -1, 0), (-1, -1, 1)), 2)


class Derived(nn.Module):
    """A vector and derivatives of it on the grid."""

    def __init__(self, inputs: list[Any]) -> None:
        super().__init__()
        self.given = [torch.from_numpy(v) for v in inputs[1:]]
        self.grid = inputs[0].shape[1:]

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = mollified_derivative(x.reshape(-1, *self.grid), *self.given)
        return y.flatten(1)


def encoded(inputs: list[Any], dtype: str, layer: Any = None) -> bytes:
    """x [M, n] -> y [M, O, n_1, n_2, n_3]; layer [2, n]: tanh of it between x [M, 2] and the op."""
    x, *rest = inputs
    held = {f"i{i + 1}": v.astype(dtype) if v.dtype.kind == "f" else v for i, v in enumerate(rest)}
    flat = w.value_info("x", dtype, ["M", math.prod(x.shape[1:]) if layer is None else 2])
    shape, made = np.array([-1, *x.shape[1:]]), ["M", len(rest[-1]), *x.shape[1:]]
    nodes = [] if layer is None else [w.node("MatMul", ["x", "layer"], ["z"]), w.node("Tanh", ["z"], ["h"])]
    nodes += [
        w.node("Reshape", ["x" if layer is None else "h", "shape"], ["i0"]),
        w.node("mollified_derivative", ["i0", *held], ["y"], domain="edgepde"),
    ]
    stored = {"shape": shape, **held} | ({} if layer is None else {"layer": layer.astype(dtype)})
    graph = w.graph(nodes, [flat], [w.value_info("y", dtype, made)], stored)
    return w.model(graph, opsets={"": 20, "edgepde": 1})


def with_gaps() -> list[Any]:
    """A bank whose windows have one number in every other chunk."""
    inputs = MADE(np.float32, *GAPS)
    inputs[3][:, :, 18:] = 0
    inputs[3][:, :, 33] = 1
    return inputs


@pytest.mark.parametrize("name", SHAPES)
def test_a_module_and_a_graph_mean_what_the_room_means(name: str) -> None:
    inputs = MADE(np.float64, *SHAPES[name])
    n = math.prod(inputs[0].shape[1:])
    x = np.random.default_rng(0).uniform(-1, 1, (3, n))
    (wanted,) = ROOM.run([x.reshape(3, *inputs[0].shape[1:]), *inputs[1:]], {})
    for net in (
        from_module(Derived(inputs), n),
        from_graph(parse(encoded(inputs, "float64"))),
    ):
        np.testing.assert_allclose(net(torch.from_numpy(x)).numpy(), wanted.reshape(3, -1), rtol=1e-12, atol=1e-12)


def test_products_share_their_matrices() -> None:
    inputs = MADE(np.float64, 1, (1, 4, 6), ((1, 1), (3, 3), (3, 3)), ((-1, 0, 1), (-1, 1, 1), (-1, -1, 1)), 3)
    inputs[-1] = np.eye(3)
    net = from_module(Derived(inputs), 24)
    assert sum(isinstance(node, AxisMatrix) for node in net.nodes) == 3


def test_zeros_among_the_taps_count_as_places_of_the_window() -> None:
    net = from_module(Derived([v.astype(np.float64) if v.dtype.kind == "f" else v for v in with_gaps()]), 40)
    assert all(node.terms >= 34 for node in net.nodes if isinstance(node, AxisMatrix) and node.matrix.shape[0] > 1)


def off(model: bytes, order: Any, computed: Any, x: np.ndarray) -> float:
    """The largest deviation as a share of the bound of the graph that ran, inputs between -1 and 1."""
    net = from_graph(parse(model))
    box = Box([-1.0] * net.dimension, [1.0] * net.dimension)
    made = bound_rounding(net, box, Arithmetic(dtype="float32", order=order), seconds=60.0, boxes=4)
    allowed = made.rounding + made.activation
    error = np.abs(computed.reshape(len(x), -1) - net(torch.from_numpy(x).double()).numpy()).max(axis=0)
    assert np.isfinite(allowed).all()
    return float(np.where(error == 0.0, 0.0, error / np.where(allowed == 0.0, 1e-300, allowed)).max())


NAMES = ("line", "line-long", "picture", "space", "picture-own-rows", "gaps")


def bank(name: str) -> list[Any]:
    return with_gaps() if name == "gaps" else MADE(np.float32, *SHAPES[name])


@needs_cc
def test_generated_c_stays_within_the_bound_and_comes_near_it(tmp_path: Path) -> None:
    models = {name: encoded(bank(name), "float32") for name in NAMES}
    layer = np.random.default_rng(2).uniform(-1, 1, (2, 12 * 21))
    models["behind"] = encoded(bank("picture"), "float32", layer)
    made = Generated(models, tmp_path, "-O1").on("scalar")
    for name, model in models.items():
        n = from_graph(parse(model)).dimension
        x = np.random.default_rng(1).uniform(-1, 1, (POINTS, n)).astype(np.float32)
        x[::3] = np.sign(x[::3])
        share = off(model, "c99", made[name]({"x": x})["y"], x)
        assert 0.01 <= share <= 1.0, (name, share)


@settings(max_examples=15, deadline=None)
@given(inputs=banks([np.float32], (3, 4, 7), 5, 1), seed=st.integers(0, 99))
def test_the_reference_stays_within_the_bound_of_any_order(inputs: list[np.ndarray], seed: int) -> None:
    model = encoded(inputs, "float32")
    x = np.random.default_rng(seed).uniform(-1, 1, (50, math.prod(inputs[0].shape[1:]))).astype(np.float32)
    computed = np.asarray(reference.load(model).run({"x": x})["y"])
    assert off(model, "any", computed, x) <= 1.0


@pytest.mark.parametrize(("place", "change"), [(3, lambda v: v[:, :, :4]), (5, lambda v: v[:, :1])])
def test_what_does_not_fit_is_refused_by_name(place: int, change: Any) -> None:
    inputs = MADE(np.float64, *SHAPES["picture"])
    inputs[place] = np.ascontiguousarray(change(inputs[place]))
    with pytest.raises(UnsupportedModel, match=r"taps_3|combine"):
        from_graph(parse(encoded(inputs, "float64")))


def test_taps_that_depend_on_the_input_are_refused() -> None:
    inputs = MADE(np.float64, *SHAPES["line"])
    module = Derived(inputs)

    class Bent(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            given = module.given
            y: Tensor = mollified_derivative(
                x.reshape(-1, 1, 1, 40), given[0], given[1], given[2] * x[0, 0], *given[3:]
            )
            return y.flatten(1)

    with pytest.raises(UnsupportedModel, match="constant taps"):
        from_module(Bent(), 40)
