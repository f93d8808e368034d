"""Factorised convolutions: each is the dense convolution of its kernel, whatever its geometry, and so its slopes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from edgepde.factorconv import layers, truncate
from edgepde.factorconv.forms import names
from edgepde.factorconv.layers import FactorConv, FactorConv2d, FactorConv3d
from edgepde.factorconv.norms import balance, degeneracy_penalty

FORMS = names()
PLAIN = (layers.FactorConv1d, layers.FactorConv2d, layers.FactorConv3d)
TRANSPOSED = (layers.FactorConvTranspose1d, layers.FactorConvTranspose2d, layers.FactorConvTranspose3d)
DENSE = (functional.conv1d, functional.conv2d, functional.conv3d)
BACK = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)
TORCH = ((nn.Conv1d, nn.Conv2d, nn.Conv3d), (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d))


def theirs(layer: FactorConv, back: bool, axes: int, **how: Any) -> nn.Module:
    """torch's own layer with the merged kernel."""
    where = layer.where
    dense = TORCH[back][axes - 1](where.inputs, where.outputs, where.kernel, **how).double()
    with torch.no_grad():
        dense.weight.copy_(layer.kernel())
        if layer.bias is not None:
            dense.bias.copy_(layer.bias)
    return dense


@settings(max_examples=80)
@given(data=st.data())
def test_is_the_dense_convolution_of_its_kernel(data: st.DataObject) -> None:
    axes, back = data.draw(st.integers(1, 3)), data.draw(st.booleans())
    each = lambda low, high: tuple(data.draw(st.lists(st.integers(low, high), min_size=axes, max_size=axes)))  # noqa: E731
    kernel, stride, dilation = each(1, 4), each(1, 3), each(1, 2)
    how: dict[str, Any] = {"stride": stride, "dilation": dilation, "bias": data.draw(st.booleans())}
    if back:
        how["padding"] = tuple(data.draw(st.integers(0, (k - 1) * d)) for k, d in zip(kernel, dilation, strict=True))
        how["output_padding"] = tuple(
            data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
        )
    else:
        how["padding"] = each(0, 2)
        how["padding_mode"] = data.draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
    grid = tuple(max((k - 1) * d + 1, 3) + data.draw(st.integers(0, 3)) for k, d in zip(kernel, dilation, strict=True))
    torch.manual_seed(data.draw(st.integers(0, 1000)))
    kind = (TRANSPOSED if back else PLAIN)[axes - 1]
    inputs, outputs = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    rank = data.draw(st.sampled_from([1, 0.5, 1.0, None]))
    layer = kind(inputs, outputs, kernel, **how, form=data.draw(st.sampled_from(FORMS)), rank=rank, dtype=torch.float64)
    if layer.bias is not None:
        nn.init.normal_(layer.bias)
    x = torch.randn(data.draw(st.integers(1, 3)), inputs, *grid, dtype=torch.float64)
    dense = theirs(layer, back, axes, **how)
    found = layer(x)
    assert found.shape[2:] == layer.where.grid_after(grid)
    torch.testing.assert_close(found, dense(x))
    torch.testing.assert_close(layer.chain().run(x, flat=False), found)
    torch.testing.assert_close(layer.merged().run(x), found)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("axes", "back"), [(1, False), (2, True), (3, False)])
def test_slopes_are_those_of_the_function(form: str, axes: int, back: bool) -> None:
    torch.manual_seed(0)
    kind = (TRANSPOSED if back else PLAIN)[axes - 1]
    layer = kind(2, 3, 2, stride=2, padding=1, form=form, rank=1, dtype=torch.float64)
    x = torch.randn(1, 2, *(3,) * axes, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in layer.named_parameters()]

    def run(x: Tensor, *held: Tensor) -> Tensor:
        return torch.func.functional_call(layer, dict(zip(names, held, strict=True)), x)

    assert torch.autograd.gradcheck(run, (x, *layer.parameters()))


@pytest.mark.parametrize("form", ["cp", "svd"])
@pytest.mark.parametrize("axes", [2, 3])
def test_few_outputs_at_a_time_are_all_of_them(form: str, axes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer = PLAIN[axes - 1](3, 5, 3, padding=1, padding_mode="replicate", form=form, dtype=torch.float64)
    nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, *(4,) * axes, dtype=torch.float64, requires_grad=True)
    found = []
    for most in (1 << 24, 2 * 3 * 6**axes * 2):
        monkeypatch.setattr(layers, "MAPS", most)
        with (watch := Sizes()):
            y = layer(x)
            found.append((y, *torch.autograd.grad(y.square().sum(), (x, *layer.parameters()))))
        assert max(watch.made) <= most
    assert max(watch.made) > most // 2  # two outputs of five
    for whole, parts in zip(*found, strict=True):
        torch.testing.assert_close(parts, whole)


@pytest.mark.parametrize("form", ["cp", "svd"])
def test_rows_of_the_kernel_can_stand_for_their_maps(form: str) -> None:
    torch.manual_seed(0)
    layer = FactorConv3d(3, 9, 3, padding=1, padding_mode="circular", form=form, dtype=torch.float64)
    x = torch.randn(2, 3, 4, 5, 4, dtype=torch.float64, requires_grad=True)
    found = []
    for rows in (0, 2):
        layer.merge_rows = rows
        with (watch := Sizes()):
            y = layer(x)
            found.append((y, *torch.autograd.grad(y.square().sum(), (x, *layer.parameters()))))
        assert layer.dense_numbers not in watch.made
    for maps, merged in zip(*found, strict=True):
        torch.testing.assert_close(merged, maps)
    with pytest.raises(InputError, match="0 to 2 of 9, got 3"):
        layer.merge_rows = 3


class Sizes(TorchDispatchMode):
    """Numbers of every tensor that is made, and of every weight a convolution is given."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[int] = []
        self.weights: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        out = func(*args, **(kwargs or {}))
        self.made += [t.numel() for t in (out if isinstance(out, tuple | list) else [out]) if isinstance(t, Tensor)]
        if func is torch.ops.aten.convolution.default:
            self.weights.append(args[1].numel())
        return out


@pytest.mark.parametrize("form", [name for name in FORMS if name != "dense"])
@pytest.mark.parametrize("axes", [2, 3])
def test_training_makes_no_dense_kernel(form: str, axes: int) -> None:
    torch.manual_seed(0)
    layer = PLAIN[axes - 1](13, 11, 5, form=form, rank=None if form == "shared" else 1)
    watch = Sizes()
    with watch:
        y = layer(torch.randn(1, 13, *(6,) * axes))
        y.square().sum().backward()
        watched = len(watch.made)
        layer.kernel()
    assert layer.dense_numbers in watch.made[watched:]  # the watch would see one
    assert layer.dense_numbers not in watch.made[:watched]
    assert max(watch.weights) < layer.dense_numbers


@pytest.mark.parametrize("lower", ["auto", "dense"])
@pytest.mark.parametrize("form", FORMS)
def test_goes_through_torch_export(form: str, lower: str) -> None:
    torch.manual_seed(0)
    layer = layers.FactorConv3d(2, 3, (2, 3, 2), padding=1, form=form)
    layer.lower_as = lower
    x = torch.randn(2, 2, 4, 5, 3)
    program = torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim("B", min=1, max=64)},))
    more = torch.randn(5, 2, 4, 5, 3)
    torch.testing.assert_close(program.module()(more), layer(more), rtol=1e-4, atol=1e-5)


@settings(max_examples=15)
@given(
    axes=st.integers(1, 3),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    mode=st.sampled_from(["zeros", "replicate"]),
    bias=st.booleans(),
)
def test_op_of_the_device_computes_the_shared_form(
    axes: int, stride: int, dilation: int, mode: str, bias: bool
) -> None:
    torch.manual_seed(0)
    layer = PLAIN[axes - 1](3, 4, 3, stride, 1, dilation, bias=bias, padding_mode=mode, form="shared").double()
    layer.lower_as = "op"
    x = torch.randn(2, 3, *(7, 6, 5)[:axes], dtype=torch.float64)
    program = torch.export.export(layer, (x,))
    assert any(node.target is torch.ops.edgepde.factorized_conv.default for node in program.graph.nodes)
    torch.testing.assert_close(program.module()(x), layer(x))


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_padding_by_its_name(padding: str) -> None:
    layer = FactorConv2d(2, 3, (4, 3), padding=padding, dilation=(2, 1), dtype=torch.float64)
    x = torch.randn(1, 2, 9, 8, dtype=torch.float64)
    torch.testing.assert_close(
        layer(x), functional.conv2d(x, layer.kernel(), layer.bias, padding=padding, dilation=(2, 1))
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"groups": 2}, "groups: expected 1"),
        ({"rank": 19}, "1 to 18, the rank of the whole kernel: .*19|expected 1 to 18.*got 19"),
        ({"rank": 0}, "got 0"),
        ({"rank": True}, "got True"),
        ({"rank": 0.0}, "fraction above 0"),
        ({"rank": 1.5}, "fraction above 0"),
        ({"rank": (3, 3)}, "1 numbers"),
        ({"rank": "2"}, "1 numbers"),
        ({"form": "tucker2", "rank": (3, 4)}, r"1 to \[2, 5\]"),
        ({"form": "cp", "rank": 4}, "1 to 3"),
        ({"form": "parafac"}, "expected one of"),
        ({"padding_mode": "mirror"}, "padding_mode"),
        ({"padding": "some"}, "'same', 'valid'"),
        ({"padding": "same", "stride": 2}, "stride 1"),
        ({"padding": -1}, "0 or more"),
        ({"kernel_size": 0}, "above 0"),
        ({"kernel_size": (3, 3, 3)}, "a number or 2"),
        ({"stride": 0}, "above 0"),
        ({"dilation": 1.5}, "not iterable|a number or 2"),
    ],
)
def test_refuses_arguments_that_do_not_fit(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        FactorConv2d(2, 5, **{"kernel_size": 3, **arguments})


def test_refuses_inputs_that_do_not_fit() -> None:
    layer = FactorConv2d(2, 5, 3)
    with pytest.raises(InputError, match=r"\['B', 2, 'n1', 'n2'\], got \[1, 3, 8, 8\]"):
        layer(torch.zeros(1, 3, 8, 8))
    with pytest.raises(InputError, match="got"):
        layer(torch.zeros(2, 8, 8))
    with pytest.raises(InputError, match="grid the kernel fits"):
        FactorConv2d(2, 5, 3, form="cp")(torch.zeros(1, 2, 2, 8))
    layer.lower_as = "fast"
    with pytest.raises(InputError, match="lower_as"):
        torch.export.export(layer, (torch.zeros(1, 2, 8, 8),))
    other = FactorConv2d(2, 5, 3, form="tt")
    other.lower_as = "op"
    with pytest.raises(InputError, match='form "shared"'):
        torch.export.export(other, (torch.zeros(1, 2, 8, 8),))
    with pytest.raises(InputError, match="where transposed"):
        layers.FactorConvTranspose2d(2, 5, 3, padding_mode="reflect")
    with pytest.raises(InputError, match="output_padding"):
        layers.FactorConvTranspose2d(2, 5, 3, stride=2, output_padding=2)


def test_state_survives_a_copy() -> None:
    layer = FactorConv3d(2, 3, 3, form="tt", rank=2)
    other = FactorConv3d(2, 3, 3, form="tt", rank=2)
    other.load_state_dict(layer.state_dict())
    x = torch.randn(1, 2, 4, 4, 4)
    torch.testing.assert_close(other(x), layer(x), rtol=0, atol=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("form", FORMS)
def test_a_gpu_computes_the_same(form: str) -> None:
    torch.manual_seed(0)
    layer = FactorConv3d(4, 6, 3, padding=1, form=form, dtype=torch.float64)
    x = torch.randn(2, 4, 5, 6, 7, dtype=torch.float64)
    found = []
    for device in ("cpu", "cuda"):
        held = copy.deepcopy(layer).to(device)
        balance(held)
        loss = held(x.to(device)).square().sum() + degeneracy_penalty(held, 1.0)
        lower, error = truncate(held, 1)
        assert all(p.device.type == device for p in lower.parameters())
        slopes = torch.autograd.grad(loss, list(held.parameters()))
        found.append((loss, *slopes, torch.tensor(error.relative), lower(x.to(device))))
    for ours, theirs_ in zip(*found, strict=True):
        torch.testing.assert_close(theirs_.cpu(), ours)
