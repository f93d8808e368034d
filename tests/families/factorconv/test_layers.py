"""Factorised convolutions: each is the dense convolution of its kernel, whatever its geometry, forwards and backwards."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from edgepde.factorconv import layers
from edgepde.factorconv.forms import names
from edgepde.factorconv.layers import FactorConv, FactorConv2d, FactorConv3d

FORMS = names()
PLAIN = (layers.FactorConv1d, layers.FactorConv2d, layers.FactorConv3d)
TRANSPOSED = (layers.FactorConvTranspose1d, layers.FactorConvTranspose2d, layers.FactorConvTranspose3d)
DENSE = (F.conv1d, F.conv2d, F.conv3d)
BACK = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
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
