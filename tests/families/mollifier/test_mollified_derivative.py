"""torch's op mollified_derivative: its definition, gradients of every order, torch.export, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from edgepde_runtime.errors import InputError
from edgepde_runtime.rooms import Room
from hypothesis import given, settings
from support.mollified_banks import banks
from support.rooms import cases_module

from edgepde.mollifier.mollified_derivative import mollified_adjoint, mollified_derivative

ROOM = Room("mollified_derivative")
MADE, SHAPES = cases_module(ROOM).made, cases_module(ROOM).shapes()
SMALL = ("line-even", "picture-narrow", "picture-own-rows", "space-own-rows", "point")


def inputs_of(name: str, dtype: type = np.float64) -> list[torch.Tensor]:
    return [torch.from_numpy(v) for v in MADE(dtype, *SHAPES[name])]


@pytest.mark.parametrize("name", SHAPES)
def test_it_is_the_rooms_definition(name: str) -> None:
    inputs = inputs_of(name)
    (wanted,) = ROOM.run([v.numpy() for v in inputs], {})
    np.testing.assert_allclose(mollified_derivative(*inputs).numpy(), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SMALL)
def test_slopes_are_those_of_differences(name: str) -> None:
    x, *rest = inputs_of(name)
    x = x[:1, :, :3].contiguous() if name == "picture-narrow" else x
    if name == "picture-narrow":
        rest[1] = rest[1][:, :3, :3].contiguous()
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda v: mollified_derivative(v, *rest), (x,), fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda v: mollified_derivative(v, *rest).square(), (x,), fast_mode=True)


@settings(max_examples=60, deadline=None)
@given(inputs=banks([np.float64], (3, 5, 9)))
def test_the_adjoint_is_the_transpose(inputs: list[np.ndarray]) -> None:
    """<s, A x> = <A^T s, x>."""
    x, *rest = (torch.from_numpy(v) for v in inputs)
    y = mollified_derivative(x, *rest)
    s = torch.randn(y.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    size = float(
        (s.abs() * mollified_derivative(x.abs(), *(v.abs() if v.is_floating_point() else v for v in rest))).sum()
    )
    difference = float((s * y).sum() - (mollified_adjoint(s, *rest) * x).sum())
    assert abs(difference) <= 1e-13 * size + 1e-300


def test_the_checks_of_torch_hold() -> None:
    x, *rest = inputs_of("space", np.float32)
    cheap = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(mollified_derivative, (x.requires_grad_(), *rest), test_utils=cheap)


class Layer(torch.nn.Module):
    """The op with its constants."""

    def __init__(self, rest: list[torch.Tensor]) -> None:
        super().__init__()
        self.rest = rest

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y [B, O, ..]."""
        return mollified_derivative(x, *self.rest)


def test_torch_export_keeps_one_node_for_any_number_of_rows() -> None:
    x, *rest = inputs_of("picture", np.float32)
    layer = Layer(rest)
    program = torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim("B")},))
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    assert [str(node.target) for node in calls] == ["edgepde.mollified_derivative.default"]
    many = torch.cat([x] * 3)
    torch.testing.assert_close(program.module()(many), layer(many))


@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        (0, lambda v: v[0], "rank 4"),
        (0, lambda v: v[..., :6], "axis 3: expected windows of 1 to 6 places, its own, got 7"),
        (1, lambda v: v.float(), "taps_1: expected torch.float64"),
        (2, lambda v: v[:, :4], "taps_2: expected 5 or 12 rows, got 4"),
        (3, lambda v: v[0], "rank"),
        (4, lambda v: v + 2, "orders: axis 2: expected -1 to 1"),
        (4, lambda v: v[:0], "orders: expected shape"),
        (5, lambda v: v[:, :2], "combine: expected shape"),
    ],
)
def test_sizes_that_disagree_are_refused(place: int, change: Any, said: str) -> None:
    inputs = inputs_of("picture")
    inputs[place] = change(inputs[place])
    with pytest.raises((InputError, RuntimeError), match=said):
        mollified_derivative(*inputs)
