"""torch's op factorized_conv: its definition, gradients of every order, halves, torch.export, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from edgepde_runtime.errors import InputError
from edgepde_runtime.rooms import Room
from edgepde_runtime.windows import window
from support.rooms import cases_module

from edgepde.factorconv.factorized_conv import chained, factorized_conv

ROOM = Room("factorized_conv")
SHAPES = cases_module(ROOM).shapes()
SMALL = ("line-strided", "picture-one-sided", "space-strided", "nothing-inside")


def given(name: str, dtype: type = np.float64) -> tuple[list[torch.Tensor], dict[str, Any]]:
    """Inputs and attributes of a case."""
    inputs, attributes = cases_module(ROOM).made(dtype, dtype, *SHAPES[name])
    return [torch.from_numpy(v) for v in inputs], attributes


@pytest.mark.parametrize("name", SHAPES)
def test_it_is_the_rooms_definition_as_an_op_and_as_a_chain(name: str) -> None:
    inputs, attributes = given(name)
    (wanted,) = ROOM.run([v.numpy() for v in inputs], attributes)
    made = window("factorized_conv", inputs[0].dim() - 2, attributes)
    for y in (factorized_conv(*inputs, **attributes), chained(*inputs, made)):
        np.testing.assert_allclose(y.numpy(), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SMALL)
def test_first_and_second_derivatives_are_those_of_differences(name: str) -> None:
    inputs, attributes = given(name)
    where = tuple(v[:1, :, :4].contiguous().requires_grad_() if v.dim() > 2 else v.requires_grad_() for v in inputs)
    if name != "nothing-inside":
        where = tuple(v.requires_grad_() for v in inputs)

    def apply(*values: torch.Tensor) -> torch.Tensor:
        return factorized_conv(*values, **attributes)

    assert torch.autograd.gradcheck(apply, where)
    if name != "space-strided":
        assert torch.autograd.gradgradcheck(apply, where)


def test_halves_get_gradients_as_halves() -> None:
    inputs, attributes = given("picture", np.float32)
    x, *factors, bias = inputs
    halves = [v.half().requires_grad_() for v in factors]
    whole = [v.detach().float().requires_grad_() for v in halves]
    for own in (halves, whole):
        factorized_conv(x, *own, bias, **attributes).square().sum().backward()
    for half, full in zip(halves, whole, strict=True):
        assert half.grad is not None
        assert full.grad is not None
        assert half.grad.dtype == torch.float16
        torch.testing.assert_close(half.grad.float(), full.grad, rtol=2e-3, atol=2e-2)


class Layer(torch.nn.Module):
    """The op with its factors as parameters."""

    def __init__(self, factors: list[torch.Tensor], attributes: dict[str, Any]) -> None:
        super().__init__()
        self.factors = torch.nn.ParameterList(factors)
        self.attributes = attributes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y [B, T, ..]."""
        return factorized_conv(x, *self.factors, **self.attributes)


def test_torch_export_keeps_one_node_for_any_number_of_rows() -> None:
    (x, *factors), attributes = given("picture", np.float32)
    x = x.repeat(2, 1, 1, 1)
    layer = Layer(factors, attributes)
    program = torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim("B")},))
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    assert [str(node.target) for node in calls] == ["edgepde.factorized_conv.default"]
    many = torch.cat([x] * 3)
    torch.testing.assert_close(program.module()(many), layer(many))


def test_gradients_reach_parameters_and_the_checks_of_torch_hold() -> None:
    inputs, attributes = given("space", np.float32)
    for v in inputs:
        v.requires_grad_()
    torch.library.opcheck(factorized_conv, tuple(inputs), attributes)


@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        (1, lambda v: v[:-1], "read: expected shape"),
        (2, lambda v: v[:, :-1], "filters: expected shape"),
        (3, lambda v: v[:, :-1], "write: expected shape"),
        (4, lambda v: v[:-1], "bias: expected shape"),
        (0, lambda v: v[:, :, :1], "axis 2: expected"),
        (0, lambda v: v[0, 0], "expected 1 to 3 axes"),
    ],
)
def test_sizes_that_disagree_are_refused(place: int, change: Any, said: str) -> None:
    inputs, attributes = given("picture-one-sided")
    attributes["pads"] = [0] * 4
    inputs[place] = change(inputs[place])
    with pytest.raises((InputError, RuntimeError), match=said):
        factorized_conv(*inputs, **attributes)
