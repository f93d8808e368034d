"""Convolutions and their like as the certificate reads them: the same function as torch's, as nodes and written out."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from edgepde_export.lowering.graph import to_onnx
from edgepde_export.lowering.prepare import prepare
from edgepde_export.passes.clean import serialize
from edgepde_runtime.errors import InputError, UnsupportedModel
from edgepde_runtime.onnxfile import parse
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from edgepde.certify.convolution import AxisMatrix, Convolution
from edgepde.certify.expanding import unrolled
from edgepde.certify.from_graph import from_graph
from edgepde.certify.from_module import from_module
from edgepde.certify.network import Input, Network, Structured

SIDES = st.integers(1, 6)


class Shaped(nn.Module):
    """x [M, d] as an array, then a module."""

    def __init__(self, shape: tuple[int, ...], then: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.shape, self.then = shape, then

    def forward(self, x: Tensor) -> Tensor:
        return self.then(x.reshape(-1, *self.shape))


def same(shape: tuple[int, ...], then: Callable[[Tensor], Tensor]) -> Network:
    """The network that is read, compared with the module at random points in float64."""
    module = Shaped(shape, then).double().eval()
    net = from_module(module, math.prod(shape))
    x = torch.randn(7, math.prod(shape), dtype=torch.float64)
    torch.testing.assert_close(net(x), module(x).reshape(7, -1), rtol=1e-11, atol=1e-11)
    return net


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    d, groups = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    channels = [groups * draw(st.integers(1, 3)) for _ in range(2)]
    kernel, strides, dilations = ([draw(st.integers(1, 3)) for _ in range(d)] for _ in range(3))
    reach = [w * (k - 1) + 1 for k, w in zip(kernel, dilations, strict=True)]
    sides = [r + draw(st.integers(0, 3)) for r in reach]
    transposed = draw(st.booleans())
    pads = [draw(st.integers(0, (r - 1) // 2 if transposed else 2)) for _ in range(2) for r in reach]
    shape = (channels[0], channels[1] // groups) if transposed else (channels[1], channels[0] // groups)
    torch.manual_seed(draw(st.integers(0, 1000)))
    weight, bias = torch.randn(*shape, *kernel).double(), torch.randn(channels[1]).double()
    given = (tuple(strides), tuple(pads), tuple(dilations), groups, transposed)
    return Convolution((0,), weight, bias, (channels[0], *sides), *given)


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_a_convolution_is_its_matrix(node: Convolution) -> None:
    net = Network((Input(math.prod(node.shape)), node))
    written = unrolled(net)
    weight = written.nodes[1].weight  # type: ignore[attr-defined]
    x = torch.randn(3, net.dimension, dtype=torch.float64)
    torch.testing.assert_close(net(x), written(x), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(node.absolute(x.abs()), x.abs() @ weight.abs().T, rtol=1e-12, atol=1e-12)
    assert int(weight.count_nonzero(dim=1).max()) <= node.terms
    other = node.with_numbers(*(torch.randn_like(v) for _, v in node.numbers))
    torch.testing.assert_close(node.less(other).times(x), node.times(x) - other.times(x), rtol=1e-10, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(convolutions())
def test_convolutions_mean_what_torch_means(node: Convolution) -> None:
    d, spread = len(node.shape) - 1, (node.strides, node.dilations)
    for axis in range(d):
        if node.transposed and node.pads[d + axis] > node.pads[axis]:
            return
    x = torch.randn(2, math.prod(node.shape), dtype=torch.float64)
    field = x.reshape(2, *node.shape)
    if node.transposed:
        more = tuple(a - b for a, b in zip(node.pads[:d], node.pads[d:], strict=True))
        if any(m >= max(s, w) for m, s, w in zip(more, *spread, strict=True)):
            return
        spread_call = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)[d - 1]
        given = (node.weight, node.bias, node.strides, node.pads[:d], more, node.groups, node.dilations)
        theirs = spread_call(field, *given)
    else:
        around = [node.pads[side * d + axis] for axis in reversed(range(d)) for side in range(2)]
        straight = (functional.conv1d, functional.conv2d, functional.conv3d)[d - 1]
        theirs = straight(
            functional.pad(field, around), node.weight, node.bias, node.strides, 0, node.dilations, node.groups
        )
    ours = node.times(x) + node.shift
    torch.testing.assert_close(ours, theirs.reshape(2, -1), rtol=1e-12, atol=1e-12)


def test_numbers_that_do_not_fit_are_refused() -> None:
    w, none = torch.randn(2, 1, 3).double(), torch.zeros(2).double()
    with pytest.raises(InputError, match="expected to fit an array"):
        Convolution((0,), w, none, (3, 8), (1,), (0, 0), (1,))
    with pytest.raises(InputError, match="biases and outputs"):
        Convolution((0,), w, none, (1, 2), (1,), (0, 0), (1,))
    with pytest.raises(InputError, match="axis matrix"):
        AxisMatrix((0,), torch.randn(2, 3).double(), none, (2, 4), 1)
    node = Convolution((0,), w, none, (1, 8), (1,), (0, 0), (1,))
    with pytest.raises(InputError, match="expected a vector"):
        Network((Input(9), node))
    with pytest.raises(InputError, match="finite float64"):
        Network((Input(8), node.with_numbers(w * torch.nan, none)))


LAYERS: dict[str, tuple[tuple[int, ...], Callable[[], Callable[[Tensor], Tensor]]]] = {
    "conv1d": ((2, 7), lambda: nn.Conv1d(2, 3, 3, stride=2, padding=1)),
    "conv2d same": ((2, 5, 6), lambda: nn.Conv2d(2, 4, (3, 5), padding="same", dilation=(2, 1))),
    "conv2d groups": ((4, 5, 5), lambda: nn.Conv2d(4, 6, 3, groups=2, bias=False)),
    "conv2d reflect": ((2, 5, 5), lambda: nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect")),
    "conv2d circular": ((2, 5, 5), lambda: nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular")),
    "conv3d edge": ((2, 3, 4, 4), lambda: nn.Conv3d(2, 2, 3, padding=1, padding_mode="replicate")),
    "transposed": ((4, 3, 4), lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2, dilation=2)),
    "transposed 3d": ((2, 2, 3, 2), lambda: nn.ConvTranspose3d(2, 3, 2, 2)),
    "nearest": ((2, 3, 4), lambda: nn.Upsample(scale_factor=2, mode="nearest")),
    "nearest size": ((2, 3, 5), lambda: nn.Upsample(size=(7, 8), mode="nearest")),
    "linear": ((2, 5), lambda: nn.Upsample(scale_factor=3, mode="linear")),
    "bilinear": ((2, 4, 5), lambda: nn.Upsample(scale_factor=(2.0, 1.5), mode="bilinear")),
    "bilinear corners": ((2, 4, 5), lambda: nn.Upsample(size=(7, 9), mode="bilinear", align_corners=True)),
    "trilinear": ((1, 2, 3, 4), lambda: nn.Upsample(scale_factor=2, mode="trilinear")),
    "bicubic": ((2, 4, 5), lambda: nn.Upsample(scale_factor=2, mode="bicubic")),
    "average": ((2, 6, 7), lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True)),
    "average inside": ((2, 6, 7), lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False)),
    "adaptive": ((2, 6, 7), lambda: nn.AdaptiveAvgPool2d((3, 2))),
    "global": ((2, 6, 7), lambda: nn.AdaptiveAvgPool2d(1)),
    "largest": ((2, 6, 7), lambda: nn.MaxPool2d(3, 2, 1)),
    "largest apart": ((2, 9), lambda: nn.MaxPool1d(2, 3, 1, dilation=2)),
    "batch": ((3, 4, 4), lambda: _seasoned(nn.BatchNorm2d(3))),
    "instance": ((3, 4, 4), lambda: nn.InstanceNorm2d(3, affine=True)),
    "group": ((4, 3, 3), lambda: nn.GroupNorm(2, 4)),
    "layer": ((3, 4), lambda: nn.LayerNorm((3, 4))),
    "shuffle": ((8, 2, 3), lambda: nn.PixelShuffle(2)),
    "reflected": ((2, 4, 5), lambda: nn.ReflectionPad2d((1, 2, 0, 3))),
    "replicated": ((2, 4, 5), lambda: nn.ReplicationPad2d((1, 2, 0, 3))),
    "leaky": ((2, 3, 3), lambda: nn.LeakyReLU(0.2)),
}


def _seasoned(norm: nn.BatchNorm2d) -> nn.BatchNorm2d:
    """A norm that has seen something."""
    for values, low in ((norm.weight.data, -1.0), (norm.bias.data, -1.0)):
        values.uniform_(low, 1.0)
    norm.running_mean = torch.randn(3).double()
    norm.running_var = torch.rand(3).double() + 0.1
    return norm


@pytest.mark.parametrize("name", LAYERS)
def test_layers_mean_what_torch_means(name: str) -> None:
    torch.manual_seed(3)
    shape, make = LAYERS[name]
    net = same(shape, make())
    again = unrolled(net)
    x = torch.randn(3, net.dimension, dtype=torch.float64)
    torch.testing.assert_close(net(x), again(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_factors_are_read(d: int) -> None:
    from edgepde.factorconv.factorized_conv import factorized_conv

    torch.manual_seed(d)
    kernel, dtype = [3, 2, 3][:d], torch.float64
    sizes = ((4, 2), (4, sum(kernel)), (3, 4), (3,))
    read, filters, write, bias = (torch.randn(*size, dtype=dtype) for size in sizes)
    spread = (kernel, [2, 1, 1][:d], [1, 0, 1, 1, 0, 1][: 2 * d], [1, 2, 1][:d], 4)
    net = same((2, *[5, 6, 4][:d]), lambda x: factorized_conv(x, read, filters, write, bias, *spread))
    assert sum(isinstance(node, Structured) for node in net.nodes) == d + 2


def test_large_maps_are_not_written_out() -> None:
    basis = torch.randn(32, 40, dtype=torch.float64)
    net = same((4, 8, 32), lambda x: torch.einsum("bijk,kn->binj", x, basis) @ torch.ones(8, 3).double())
    kinds = [node for node in net.nodes if isinstance(node, AxisMatrix)]
    assert len(kinds) == 1


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (lambda x: functional.avg_pool2d(x, 2, divisor_override=3), "divisor"),
        (lambda x: functional.pad(x, (-1, 1, 0, 0), mode="reflect"), "pads >= 0"),
        (lambda x: functional.conv2d(x, x[:, :1, :1, :1].expand(1, 2, 1, 1)), "constant weights"),
    ],
)
def test_what_is_not_linear_or_known_is_refused(layer: Callable[[Tensor], Tensor], why: str) -> None:
    with pytest.raises((UnsupportedModel, RuntimeError), match=why):
        from_module(Shaped((2, 4, 4), layer).double(), 32)


def test_the_matrix_of_sizes_has_the_sizes_of_the_matrix() -> None:
    """|W| x, not |W x|."""
    torch.manual_seed(0)
    line = AxisMatrix((0,), torch.randn(4, 3).double(), torch.zeros(4).double(), (2, 3, 2), 1)
    three = torch.randn(3, 2, 2, 2).double(), torch.randn(2, 2, 3, 3).double()
    plain = Convolution((0,), three[0], torch.zeros(3).double(), (2, 4, 3), (1, 2), (1, 0, 0, 1), (2, 1))
    back = Convolution((0,), three[1], torch.zeros(2).double(), (2, 2, 3), (2, 1), (1,) * 4, (1, 1), 1, True)
    for node in (line, plain, back):
        n = math.prod(node.shape_in)
        matrix, x = node.times(torch.eye(n).double()).T, torch.rand(5, n).double()
        torch.testing.assert_close(node.absolute(x), x @ matrix.abs().T)


def test_a_batch_norm_in_float32_is_read() -> None:
    torch.manual_seed(0)
    norm = _seasoned(nn.BatchNorm2d(3))
    module = nn.Sequential(nn.Linear(2, 48), nn.Tanh(), nn.Unflatten(1, (3, 4, 4)), norm).float().eval()
    model = prepare(to_onnx(module, {"x": torch.randn(3, 2)}, {"x": {0: "M"}}, ["y"]), lambda _: None)
    assert "BatchNormalization" in [node.op_type for node in model.graph.node]
    x = torch.rand(9, 2, dtype=torch.float64)
    made = from_graph(parse(serialize(model)))(x)
    torch.testing.assert_close(made, module.double()(x).flatten(1).detach(), rtol=1e-5, atol=1e-5)
