"""Chains of convolutions on their way out: in standard nodes, as one dense convolution, as the op; one function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from edgepde_export.lowering import convolutions
from edgepde_export.lowering.conv_chain import Chain, chains, dense, mergeable
from edgepde_export.lowering.conv_forms import MOST, rewritten, ways
from edgepde_export.lowering.graph import IR_VERSION, OPSET, to_onnx
from edgepde_export.passes.clean import serialize
from edgepde_export.passes.simplify import simplify
from edgepde_runtime import choose
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from torch import nn

SIZES = (5, 4, 6)
CLOSE = 2e-5


def quiet(_: str) -> None:
    """Says nothing."""


@dataclass(frozen=True)
class Shape:
    """A factored layer: axes, channels, rank, and per axis the sizes."""

    axes: int
    read: int
    write: int
    rank: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]


def cp(shape: Shape, seed: int = 0) -> onnx.ModelProto:
    """The graph of a product with a matrix, a filter along each axis, a product with a matrix; batch free."""
    rng, d, r = np.random.default_rng(seed), shape.axes, shape.rank
    flat = {"kernel_shape": [1] * d}
    made = [("c0.weight", (r, shape.read, *[1] * d), flat)]
    for i in range(d):
        one = [[v if i == j else default for j in range(d)] for v, default in _of(shape, i)]
        sizes = {"kernel_shape": one[0], "strides": one[1], "pads": 2 * one[2], "dilations": one[3], "group": r}
        made.append((f"c{i + 1}.weight", (r, 1, *one[0]), sizes))
    made.append(("last.weight", (shape.write, r, *[1] * d), flat))
    names = ["x", *(f"h{i}" for i in range(d + 1)), "y"]
    bias = {len(made) - 1: ["last.bias"]}
    nodes = [
        helper.make_node("Conv", [names[i], weight, *bias.get(i, [])], [names[i + 1]], **sizes)
        for i, (weight, _, sizes) in enumerate(made)
    ]
    held = {weight: rng.standard_normal(size) for weight, size, _ in made} | {
        "last.bias": rng.standard_normal(shape.write)
    }
    tensors = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in held.items()]
    kind = onnx.TensorProto.FLOAT
    x = helper.make_tensor_value_info("x", kind, ["M", shape.read, *SIZES[:d]])
    y = helper.make_tensor_value_info("y", kind, None)
    graph = helper.make_graph(nodes, "g", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def _of(shape: Shape, i: int) -> list[tuple[int, int]]:
    return [(shape.kernel[i], 1), (shape.stride[i], 1), (shape.pad[i], 0), (shape.dilation[i], 1)]


def graph_of(module: nn.Module, channels: int, spatial: tuple[int, ...]) -> onnx.ModelProto:
    """The simplified graph of a module, batch free."""
    return simplify(to_onnx(module.eval(), {"x": torch.zeros(3, channels, *spatial)}, {"x": {0: "M"}}, ["y"]), quiet)


def points(*shape: int) -> np.ndarray[Any, Any]:
    """Inputs at random."""
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def run(model: onnx.ModelProto, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """y of x in ONNX Runtime."""
    (y,) = onnxruntime.InferenceSession(serialize(model)).run(None, {"x": x})
    return np.asarray(y)


def forms(model: onnx.ModelProto, chain: Chain) -> dict[str, onnx.ModelProto]:
    """The graph with its chain in each of the standard forms."""
    made = {way: form(chain) for way, form in ways(chain).items() if way != "op"}
    return {way: convolutions.without_leftovers(rewritten(model, one)) for way, one in made.items()}


def fits(shape: Shape) -> bool:
    """Whether every axis has an output."""
    sides = zip(SIZES, shape.kernel, shape.pad, shape.dilation, strict=False)
    return all(n + 2 * pad > (k - 1) * dilation for n, k, pad, dilation in sides)


shapes = st.integers(1, 3).flatmap(
    lambda d: st.builds(
        Shape,
        st.just(d),
        st.integers(1, 3),
        st.integers(1, 3),
        st.integers(1, 4),
        *(st.tuples(*[st.integers(a, b)] * d) for a, b in ((1, 3), (1, 2), (0, 2), (1, 2))),
    ).filter(fits)
)


@settings(max_examples=25, deadline=None)
@given(shapes)
def test_every_form_is_the_same_function(shape: Shape) -> None:
    model = cp(shape)
    x = points(2, shape.read, *SIZES[: shape.axes])
    wanted = run(model, x)
    found = chains(model)
    assert len(found) == 1
    for made in forms(model, found[0]).values():
        assert run(made, x) == pytest.approx(wanted, rel=CLOSE, abs=CLOSE)
    assert set(ways(found[0])) >= {"plain", "dense"}


PLAIN_3D = Shape(3, 2, 3, 4, (3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1))


def test_filters_along_one_of_three_axes_become_pictures() -> None:
    model = cp(PLAIN_3D)
    made = forms(model, chains(model)[0])["plain"]
    held = {t.name: t for t in made.graph.initializer}
    ranks = [len(held[n.input[1]].dims) for n in made.graph.node if n.op_type == "Conv"]
    assert ranks == [4] * 5


def test_a_step_along_the_middle_axis_stays_what_it_was() -> None:
    shape = Shape(3, 2, 3, 4, (3, 3, 3), (1, 2, 1), (1, 1, 1), (1, 1, 1))
    model = cp(shape)
    made = forms(model, chains(model)[0])["plain"]
    held = {t.name: t for t in made.graph.initializer}
    ranks = [len(held[n.input[1]].dims) for n in made.graph.node if n.op_type == "Conv"]
    assert sorted(ranks) == [4, 4, 4, 4, 5]


def test_the_factored_pattern_is_the_op_s() -> None:
    model = cp(PLAIN_3D)
    (chain,) = chains(model)
    assert chain.factored
    assert "op" in ways(chain)
    node = ways(chain)["op"](chain).nodes[0]
    stated = {a.name: list(a.ints) for a in node.attribute if a.name != "rank"}
    assert (node.domain, node.op_type) == ("edgepde", "factorized_conv")
    assert stated == {"kernel_shape": [3] * 3, "strides": [1] * 3, "pads": [1] * 6, "dilations": [1] * 3}
    held = ways(chain)["op"](chain).constants
    assert [list(held[name].shape) for name in node.input[1:]] == [[4, 2], [4, 9], [3, 4], [3]]


class Biased(nn.Module):
    """A bias before padding: no dense convolution is this."""

    def __init__(self, pad: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 3, (3, 1), padding=(1, 0))
        self.then = nn.Conv2d(3, 2, (1, 3), padding=(0, pad))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.then(self.first(x))  # type: ignore[no-any-return]


class Beside(nn.Module):
    """Two chains whose nodes lie between each other's."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.ModuleList([nn.Conv2d(2, r, (3, 1), padding=(1, 0), bias=False) for r in (3, 4)])
        self.then = nn.ModuleList([nn.Conv2d(r, 2, (1, 3), padding=(0, 1)) for r in (3, 4)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        p, q = (layer(x) for layer in self.first)
        made: torch.Tensor = self.then[0](p) * self.then[1](q)
        return made


@pytest.mark.parametrize("way", ["plain", "dense"])
def test_chains_that_lie_between_each_other_are_replaced_alike(way: str) -> None:
    torch.manual_seed(0)
    model = graph_of(Beside(), 2, (5, 6))
    assert sorted(chain.places for chain in chains(model)) == [(0, 2), (1, 3)]
    made = convolutions.chosen(model, way, c99=False, log=quiet)
    assert [row["form"] for row in made.ledger] == [way, way]
    x = np.random.default_rng(0).standard_normal((2, 2, 5, 6)).astype(np.float32)
    name = model.graph.input[0].name
    given, found = (
        next(iter(choose.of_model("reference", serialize(m)).run({name: x}).values())) for m in (model, made.model)
    )
    assert np.allclose(given, found, atol=CLOSE)


@pytest.mark.parametrize("pad", [0, 1])
def test_a_bias_that_padding_would_cut_is_not_merged(pad: int) -> None:
    module = Biased(pad)
    model = graph_of(module, 2, (5, 6))
    found = chains(model)
    assert bool(found) == (pad == 0)
    x = points(2, 2, 5, 6)
    for made in [one for chain in found for one in forms(model, chain).values()]:
        assert run(made, x) == pytest.approx(module(torch.from_numpy(x)).detach().numpy(), abs=CLOSE)


class Upward(nn.Module):
    """A transposed convolution in two steps."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Conv2d(3, 2, 1, bias=False)
        self.tall = nn.ConvTranspose2d(2, 4, (4, 1), stride=(2, 1), padding=(1, 0), bias=False)
        self.wide = nn.ConvTranspose2d(4, 2, (1, 3), stride=(1, 2), output_padding=(0, 1), groups=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.wide(self.tall(self.read(x)))  # type: ignore[no-any-return]


def test_transposed_steps_merge_too() -> None:
    torch.manual_seed(1)
    module = Upward()
    model = graph_of(module, 3, (4, 3))
    (chain,) = chains(model)
    assert dense(chain.steps).transposed
    assert not chain.factored
    x = points(2, 3, 4, 3)
    for made in forms(model, chain).values():
        assert run(made, x) == pytest.approx(module(torch.from_numpy(x)).detach().numpy(), abs=CLOSE)


@pytest.mark.parametrize("between", [nn.ReLU(), nn.BatchNorm2d(3)])
def test_what_stands_between_ends_a_chain(between: nn.Module) -> None:
    model = graph_of(nn.Sequential(nn.Conv2d(2, 3, (3, 1)), between, nn.Conv2d(3, 2, (1, 3))), 2, (5, 6))
    assert bool(chains(model)) == isinstance(between, nn.BatchNorm2d)


class Skipped(nn.Module):
    """What is read twice is not merged away."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 2, (3, 1), padding=(1, 0), bias=False)
        self.then = nn.Conv2d(2, 2, (1, 3), padding=(0, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        return self.then(y) + y  # type: ignore[no-any-return]


def test_what_is_read_twice_is_no_chain() -> None:
    assert not chains(graph_of(Skipped(), 2, (5, 6)))


def test_two_steps_along_one_axis_are_no_layer() -> None:
    module = nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), nn.Conv2d(3, 2, 3))
    assert not chains(graph_of(module, 2, (7, 6)))


def test_a_dense_kernel_too_large_is_not_made() -> None:
    model = cp(PLAIN_3D)
    (chain,) = chains(model)
    assert mergeable(chain.steps)
    assert MOST >= 2 * 3 * 27
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgepde_export.lowering.conv_forms.MOST", 2 * 3 * 27 - 1)
        assert set(ways(chain)) == {"plain", "op"}


def test_a_way_nobody_knows_is_refused() -> None:
    with pytest.raises(InputError, match="--convolutions expected auto, op, plain, dense, got 'sparse'"):
        convolutions.check("sparse")


@pytest.mark.parametrize("fast", ["plain", "dense", "op"])
def test_the_fastest_is_taken_where_clearly_so(fast: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = cp(PLAIN_3D)
    (chain,) = chains(model)
    seconds = {"op": 2.0, "plain": 2.1, "dense": 2.2} | {fast: 1.0}
    monkeypatch.setattr(convolutions, "_measured", lambda *_: (seconds, "ort"))
    monkeypatch.setattr(convolutions.native, "library", lambda: "here")
    assert convolutions._taken(model, chain, "auto", False, quiet)[0] == fast
    monkeypatch.setattr(convolutions, "CLEARLY", 4.0)
    assert convolutions._taken(model, chain, "auto", False, quiet)[0] == "plain"


def test_the_clock_is_read_for_every_way() -> None:
    model = cp(PLAIN_3D)
    (chain,) = chains(model)
    models = {way: convolutions.alone(model, chain, form(chain)) for way, form in ways(chain).items() if way != "op"}
    backends = {way: choose.of_model("ort", serialize(one)) for way, one in models.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolutions, "SECONDS", 0.0)
        assert set(convolutions._timed(backends, chain)) == {"plain", "dense"}
        assert all(s > 0 for s in convolutions._timed(backends, chain).values())
