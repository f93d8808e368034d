"""Modules become networks that compute the same; what has no rule is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError, UnsupportedModel
from support.torch_functions import MODULE_ONLY, MORE, READ, D, Function
from torch import Tensor, nn

from edgepde.certify import network as nw
from edgepde.certify.engine import bound_difference
from edgepde.certify.from_module import from_module

ALL = {**READ, **MORE, **MODULE_ONLY}


@pytest.mark.parametrize(
    ("name", "kind"), [*((name, torch.float64) for name in ALL), *((name, torch.float32) for name in READ)]
)
def test_a_module_is_read(name: str, kind: torch.dtype) -> None:
    torch.manual_seed(0)
    module = Function(ALL[name]).to(kind)
    net = from_module(module, D)
    x = torch.rand(50, D, dtype=kind) * 2 - 1
    wanted = module(x).reshape(50, -1).double()
    assert torch.allclose(net(x.double()), wanted, atol=1e-12 if kind == torch.float64 else 1e-5)


@pytest.mark.parametrize("name", READ)
def test_a_module_is_bounded(name: str) -> None:
    torch.manual_seed(1)
    module, other = Function(READ[name]).double(), Function(READ[name]).double()
    other.load_state_dict({k: v + 1e-3 * torch.randn_like(v) for k, v in module.state_dict().items()})
    f, g = from_module(module, D), from_module(other, D)
    made = bound_difference(f, g, Box([-1.0] * D, [1.0] * D), seconds=600.0, boxes=20_000)
    x = torch.rand(4000, D, dtype=torch.float64) * 2 - 1
    worst = (module(x) - other(x)).reshape(4000, -1).abs().amax(dim=0).detach().numpy()
    assert (worst <= made.value).all()
    assert made.proved or name == "chunks", (made.tightness, made.boxes)


def test_a_sequential_is_read_as_a_chain() -> None:
    net = from_module(nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 1)).double(), 2)
    assert [type(n) for n in net.nodes] == [nw.Input, nw.Affine, nw.Pointwise, nw.Affine]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda m, x: torch.floor(m.first(x)), "floor"),
        (lambda m, x: torch.softmax(m.first(x), dim=1), "softmax"),
        (lambda m, x: m.first(x) ** 0.3, "whole or half exponent"),
        (lambda m, x: m.first(x) @ m.first(x).T, "constant right factor"),
        (lambda m, x: (m.first(x), x), "one tensor"),
        (lambda m, x: m.first(x) - m.first(x).mean(dim=0), "batch"),
    ],
)
def test_what_has_no_rule_is_named(function: Callable[[Function, Tensor], Tensor], words: str) -> None:
    with pytest.raises(UnsupportedModel, match=words):
        from_module(Function(function), D)


def test_weights_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="node 1 weight expected finite"):
        nw.mlp([[[1.0, float("nan")]]], [None], [])
    with pytest.raises(InputError, match="node 3 weight expected shape"):
        nw.mlp([torch.ones(4, 2), torch.ones(1, 5)], [None, None], ["tanh"])
    with pytest.raises(InputError, match="one activation less"):
        nw.mlp([torch.ones(4, 2)], [None], ["tanh"])
