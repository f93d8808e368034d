"""The graph that ships as a network: what modules become by exporting, the stored constants, what is refused."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from edgepde_export.lowering.graph import to_onnx
from edgepde_export.lowering.prepare import prepare
from edgepde_export.passes.precision import restored, store
from edgepde_runtime.box import Box
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.onnxfile import parse
from edgepde_runtime.onnxmodel import Model
from numpy.typing import NDArray
from support import onnx_writer as w
from support.torch_functions import MORE, READ, D, Function
from torch import nn

from edgepde.certify import network as nw
from edgepde.certify import propagate
from edgepde.certify.engine import bound_difference
from edgepde.certify.from_graph import from_graph
from edgepde.certify.from_module import from_module
from edgepde.certify.network import Network

Array = NDArray[Any]
FUNCTIONS = {**READ, **MORE}
BOX = Box([-1.0] * D, [1.0] * D)
# Modules with python numbers that are not float32: the graph's constants are others by that rounding.
ROUNDED = 1e-5


def nets() -> ModuleType:
    """The networks the tests of exporting share."""
    spec = importlib.util.spec_from_file_location("nets", Path(__file__).parents[1] / "export" / "nets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def exported(module: nn.Module, d: int, dtype: torch.dtype) -> Model:
    """The simplified graph that ships."""
    made = to_onnx(module.eval(), {"x": torch.rand(3, d, dtype=dtype)}, {"x": {0: "M"}}, ["u"])
    return parse(prepare(made, lambda _: None).SerializeToString())


def agree(f: Network, g: Network, box: Box) -> float:
    """How far two networks of one structure are apart, proved."""
    assert propagate.alike(f, g), [type(n).__name__ for n in f.nodes] + [type(n).__name__ for n in g.nodes]
    x = torch.rand(500, box.dimension, dtype=torch.float64) * 2.0 - 1.0
    made = bound_difference(f, g, box, seconds=600.0, boxes=300)
    assert float((f(x) - g(x)).abs().max()) <= made.value.max()
    return float(made.value.max())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_module_and_its_graph_are_one_network(name: str) -> None:
    torch.manual_seed(0)
    module = Function(FUNCTIONS[name])
    f, g = from_module(module, D), from_graph(exported(module, D, torch.float32))
    assert agree(f, g, BOX) <= ROUNDED


@pytest.mark.parametrize(
    ("name", "dtype"), [*((name, torch.float32) for name in nets().ACTIVATIONS), ("tanh", torch.float64)]
)
def test_networks_without_other_constants_are_the_same_to_the_last_bit(name: str, dtype: torch.dtype) -> None:
    module = nets().mlp(name, dtype=dtype)
    f, g = from_module(module, 2), from_graph(exported(module, 2, dtype))
    assert agree(f, g, Box([-1.0, -1.0], [1.0, 1.0])) == 0.0


def model(
    nodes: Sequence[tuple[str, Sequence[str], Mapping[str, Any]]],
    held: Mapping[str, Any] | None = None,
    *,
    shape: Sequence[int | str] = ("M", 2),
    domain: str = "",
    dtype: str = "float32",
    inputs: Sequence[str] = ("x",),
    outputs: Sequence[str] = ("y",),
) -> Model:
    """Nodes n0, n1 .., the last one's output called y."""
    last = len(nodes) - 1
    made = [
        w.node(op, names, ["y" if i == last else f"n{i}"], attributes, domain=domain if i == last else "")
        for i, (op, names, attributes) in enumerate(nodes)
    ]
    given = [w.value_info(name, dtype, list(shape)) for name in inputs]
    graph = w.graph(made, given, [w.value_info(n, dtype, ["M", "n"]) for n in outputs], dict(held or {}))
    return parse(w.model(graph))


def f32(*values: Any) -> Array:
    return np.array(values, dtype=np.float32)


@pytest.mark.parametrize("stored", ["int8", "float16"])
def test_small_weights_are_what_a_device_makes_of_them(stored: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 2)) if stored == "float16" else rng.integers(-127, 128, (5, 2))
    small, scale = values.astype(stored), rng.uniform(0.001, 0.1, (5, 1)).astype(np.float32)
    nodes = [
        ("Cast", ["w"], {"to": 1}),
        ("Mul", ["n0", "s"], {}),
        ("Gemm", ["x", "n1"], {"transB": 1}),
    ]
    net = from_graph(model(nodes, {"w": small, "s": scale}))
    weight = net.nodes[1].weight.numpy()  # type: ignore[attr-defined]
    assert (weight == (small.astype(np.float32) * scale).astype(np.float64)).all()
    assert not (weight == small.astype(np.float64) * scale.astype(np.float64)).all()


@pytest.mark.parametrize("precision", ["f16w", "i8w"])
def test_stored_weights_are_read_as_what_the_kernels_compute_with(precision: str) -> None:
    module = nets().mlp("tanh")
    made = to_onnx(module.eval(), {"x": torch.rand(3, 2)}, {"x": {0: "M"}}, ["u"])
    small = store(prepare(made, lambda _: None), precision, lambda _: None)
    g, wide = (from_graph(parse(m.SerializeToString())) for m in (small, restored(small)))
    assert agree(g, wide, Box([-1.0, -1.0], [1.0, 1.0])) == 0.0
    assert 0.0 < agree(from_module(module, 2), g, Box([-1.0, -1.0], [1.0, 1.0])) < 0.1


def test_a_bias_joins_a_product_that_nothing_else_reads() -> None:
    weight, row = f32([1, 2, 3], [4, 5, 6]), f32(0.5, 0.25, 0.125)
    plain = [("MatMul", ["x", "w"], {}), ("Add", ["b", "n0"], {})]
    net = from_graph(model(plain, {"w": weight, "b": row}))
    assert [type(n) for n in net.nodes] == [nw.Input, nw.Affine]
    twice = [*plain, ("Add", ["n0", "n1"], {})]
    net = from_graph(model(twice, {"w": weight, "b": row}))
    assert [type(n) for n in net.nodes] == [nw.Input, nw.Affine, nw.Scale, nw.Sum]


def test_equal_nodes_are_one() -> None:
    weight = f32([1, 2, 3], [4, 5, 6])
    nodes = [("MatMul", ["x", "w"], {}), ("MatMul", ["x", "w"], {}), ("Sin", ["n0"], {}), ("Cos", ["n1"], {})]
    net = from_graph(model([*nodes, ("Add", ["n2", "n3"], {})], {"w": weight}))
    assert [type(n) for n in net.nodes] == [nw.Input, nw.Affine, nw.Pointwise, nw.Pointwise, nw.Sum]


def test_a_constant_divisor_is_not_rounded() -> None:
    net = from_graph(model([("Div", ["x", "c"], {})], {"c": f32(3.0)}))
    constants = [n for n in net.nodes if isinstance(n, nw.Affine | nw.Scale)]
    assert all(float(v) in (0.0, 3.0) for n in constants for v in (*n.weight.ravel(), *n.bias))
    exact = from_graph(model([("Div", ["x", "c"], {})], {"c": f32(4.0)}))
    assert [type(n) for n in exact.nodes] == [nw.Input, nw.Scale]


def test_one_of_several_outputs_is_read() -> None:
    graph = model([("Tanh", ["x"], {}), ("Floor", ["n0"], {})], outputs=("n0", "y"))
    net = from_graph(graph, output="n0")
    assert [type(n) for n in net.nodes] == [nw.Input, nw.Pointwise]
    with pytest.raises(UnsupportedModel, match="expected one output, got n0, y"):
        from_graph(graph)
    with pytest.raises(UnsupportedModel, match="expected one of n0, y, got 'z'"):
        from_graph(graph, output="z")


def test_gemm_scales_product_and_bias() -> None:
    rng = np.random.default_rng(1)
    weight, row = rng.normal(size=(2, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    net = from_graph(model([("Gemm", ["x", "w", "b"], {"alpha": 0.3, "beta": -1.7})], {"w": weight, "b": row}))
    x = rng.normal(size=(7, 2))
    alpha, beta = float(np.float32(0.3)), float(np.float32(-1.7))
    wanted = alpha * (x @ weight.astype(np.float64)) + beta * row.astype(np.float64)
    assert np.allclose(net(torch.from_numpy(x)).numpy(), wanted, rtol=1e-13, atol=1e-13)


M_AS_NUMBER = [
    ("Shape", ["x"], {"start": 0, "end": 1}),
    ("Cast", ["n0"], {"to": 1}),
    ("Mul", ["x", "n1"], {}),
]
REFUSED: dict[str, tuple[Model, str]] = {
    "rows averaged": (model([("ReduceMean", ["x", "a"], {}), ("Sub", ["x", "n0"], {})], {"a": np.array([0])}), "rows"),
    "rows turned": (model([("Transpose", ["x"], {}), ("MatMul", ["n0", "x"], {})]), "MatMul.*constant right factor"),
    "rows crossed": (
        model([("Slice", ["x", "o", "i", "i"], {}), ("Transpose", ["n0"], {}), ("Add", ["n0", "n1"], {})],
              {"o": np.array([0]), "i": np.array([1])}),
        "rows",
    ),
    "rows counted": (model(M_AS_NUMBER), r"Mul.*number of rows"),
    "a step": (model([("Tanh", ["x"], {}), ("Floor", ["n0"], {})]), r"'n?1?.*Floor.*a step"),
    "a choice": (
        model([("Greater", ["x", "c"], {}), ("Where", ["n0", "x", "c"], {})], {"c": f32(0.5)}),
        "Greater.*step of the point",
    ),
    "a narrower float": (
        model([("Cast", ["x"], {"to": 10}), ("Cast", ["n0"], {"to": 1})]),
        "Cast.*expected a cast to float32",
    ),
    "a constant by tanh": (
        model([("Tanh", ["c"], {}), ("Mul", ["x", "n0"], {})], {"c": f32(0.5)}),
        "Tanh.*single IEEE operations",
    ),
    "a constant by a sum": (
        model([("ReduceSum", ["c"], {}), ("Mul", ["x", "n0"], {})], {"c": f32(0.5, 0.1)}),
        "ReduceSum.*single IEEE operations",
    ),
    "infinite": (model([("Mul", ["x", "c"], {})], {"c": f32(np.inf)}), "Mul.*finite"),
    "a divisor of 0": (model([("Div", ["x", "c"], {})], {"c": f32(0.0)}), "Div.*divisor other than 0"),
    "a power": (model([("Pow", ["x", "c"], {})], {"c": f32(2.2)}), "Pow.*whole or half exponent"),
    "no op of ours": (model([("Mish", ["x"], {})]), "Mish.*no implementation"),
    "another domain": (model([("gauss_newton_solve", ["x"], {})], domain="edgepde"), "gauss_newton_solve"),
    "two inputs": (model([("Add", ["x", "z"], {})], inputs=("x", "z")), "expected one input, got x, z"),
    "a fixed batch": (model([("Tanh", ["x"], {})], shape=(4, 2)), r"expected floats \[M, d\], got float32\[4, 2\]"),
    "a cube": (model([("Tanh", ["x"], {})], shape=("M", 2, 2)), r"expected floats \[M, d\]"),
    "free columns": (model([("Tanh", ["x"], {})], shape=("M", "n")), r"expected floats \[M, d\]"),
    "integers": (model([("Identity", ["x"], {})], dtype="int64"), r"expected floats \[M, d\], got int64"),
    "no function": (model([("Identity", ["c"], {})], {"c": f32([1.0, 2.0])}), "got a constant"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_certified_is_refused_by_name(name: str) -> None:
    made, words = REFUSED[name]
    with pytest.raises(UnsupportedModel, match=words):
        from_graph(made)


def test_the_box_says_how_many_columns() -> None:
    free = model([("Tanh", ["x"], {})], shape=("M", "n"))
    assert from_graph(free, 3).dimension == 3
    with pytest.raises(UnsupportedModel, match=r"expected floats \[M, 3\]"):
        from_graph(model([("Tanh", ["x"], {})]), 3)


def test_a_rule_that_reads_wrongly_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgepde.certify import composing

    monkeypatch.setattr(composing, "minus", composing.plus)
    with pytest.raises(UnsupportedModel, match="other values"):
        from_graph(model([("Tanh", ["x"], {}), ("Sub", ["x", "n0"], {})]))
