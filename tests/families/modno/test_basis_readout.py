"""torch's op basis_readout: definition, gradients of every order, halves, torch.export, the certificate's reading."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from edgepde_runtime.errors import InputError
from edgepde_runtime.rooms import Room
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from edgepde.certify.from_module import from_module
from edgepde.modno.basis_readout import basis_readout

ROOM = Room("basis_readout")


def tensors(rows: int = 3, scales: int = 4, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    made = torch.Generator().manual_seed(1)
    return [torch.randn(*size, generator=made, dtype=dtype) for size in ((rows, 5), (5, 4), (scales,))]


@pytest.mark.parametrize("scales", [1, 4])
def test_first_and_second_derivatives_are_those_of_differences(scales: int) -> None:
    where = tuple(v.requires_grad_() for v in tensors(scales=scales))
    assert torch.autograd.gradcheck(basis_readout, where)
    assert torch.autograd.gradgradcheck(basis_readout, where)


def test_only_what_is_asked_for_gets_a_slope() -> None:
    coefficients, basis, scale = tensors()
    basis_readout(coefficients.requires_grad_(), basis, scale).sum().backward()
    torch.testing.assert_close(coefficients.grad, (basis * scale).sum(1).expand(3, 5))
    assert basis.grad is None


def test_halves_get_gradients_as_halves() -> None:
    coefficients, basis, scale = tensors(dtype=torch.float32)
    half = basis.half().requires_grad_()
    whole = half.detach().float().requires_grad_()
    for own in (half, whole):
        basis_readout(coefficients, own, scale).square().sum().backward()
    assert half.grad is not None
    assert half.grad.dtype == torch.float16
    torch.testing.assert_close(half.grad.float(), whole.grad, rtol=2e-3, atol=2e-2)


def test_torch_export_keeps_one_node_for_any_number_of_rows() -> None:
    class Layer(torch.nn.Module):
        def forward(self, x: Tensor, basis: Tensor, scale: Tensor) -> Tensor:
            return torch.tanh(basis_readout(x, basis, scale))

    made = torch.export.export(
        Layer(), tuple(tensors(4)), dynamic_shapes=({0: torch.export.Dim("B", min=1, max=64)}, None, None)
    )
    assert [n.target for n in made.graph.nodes].count(torch.ops.edgepde.basis_readout.default) == 1
    torch.testing.assert_close(made.module()(*tensors(7)), Layer()(*tensors(7)))


class Read(torch.nn.Module):
    """tanh, then a readout by constants."""

    def __init__(self, basis: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("basis", basis)
        self.register_buffer("scale", scale)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = basis_readout(torch.tanh(x), self.get_buffer("basis"), self.get_buffer("scale"))
        return made


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 4]), st.booleans())
def test_the_certificate_reads_what_it_computes(seed: int, scales: int, half: bool) -> None:
    rng = np.random.default_rng(seed)
    basis = torch.from_numpy(rng.standard_normal((5, 4)))
    layer = Read(basis.half() if half else basis, torch.from_numpy(rng.standard_normal(scales)))
    x = torch.from_numpy(rng.standard_normal((6, 5)))
    torch.testing.assert_close(from_module(layer, 5)(x), layer(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (1, torch.zeros(4, 6, dtype=torch.float64), "coefficients"),
        (1, torch.zeros(5, 4), "basis: expected torch.float64"),
        (2, torch.zeros(3, dtype=torch.float64), "scale: expected 1 or 4"),
        (2, torch.zeros(1, dtype=torch.float16), "scale: expected torch.float64"),
    ],
)
def test_sizes_and_types_that_do_not_fit_are_errors(place: int, value: Any, said: str) -> None:
    inputs = tensors()
    inputs[place] = value
    with pytest.raises(InputError, match=said):
        basis_readout(*inputs)
