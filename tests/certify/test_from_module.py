"""Modules become networks that compute the same; what has no rule is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError, UnsupportedModel
from torch import Tensor, nn

from edgepde.certify import network as nw
from edgepde.certify.engine import bound_difference
from edgepde.certify.from_module import from_module

D = 3


class Function(nn.Module):
    """A function with two linear layers at hand."""

    def __init__(self, function: Callable[[Function, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.first, self.second = nn.Linear(D, 4), nn.Linear(4, 4)
        self.weight = nn.Parameter(torch.randn(D, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


READ: dict[str, Callable[[Function, Tensor], Tensor]] = {
    "skip": lambda m, x: m.first(x) + torch.tanh(m.second(torch.tanh(m.first(x)))),
    "gate": lambda m, x: m.first(x) * torch.sigmoid(m.second(m.first(x))),
    "columns": lambda m, x: torch.cat([x[:, 1:], torch.sin(x[:, :1]), x[:, [0]]], dim=1),
    "branch and trunk": lambda m, x: (m.first(x) * torch.cos(m.first(x))).sum(dim=-1, keepdim=True),
    "features": lambda m, x: torch.cat([torch.sin(x @ m.weight), torch.cos(x @ m.weight)], dim=-1),
    "scaled": lambda m, x: (m.first(x) - 0.3) * torch.tensor([1.0, 2.0, 3.0, 4.0]) / 1.7 + x[:, :1],
    "powers": lambda m, x: m.first(x) ** 2 + m.first(x).pow(3) - 2.0 * m.first(x),
    "divided": lambda m, x: m.first(x) / (2.0 + torch.exp(x[:, 1:2])),
    "gelus": lambda m, x: nn.functional.gelu(m.first(x)) + nn.functional.gelu(m.first(x), approximate="tanh"),
    "others": lambda m, x: nn.functional.silu(m.first(x)) + nn.functional.softplus(m.first(x)) + torch.erf(m.first(x)),
    "shapes": lambda m, x: m.first(x).view(-1, 2, 2).transpose(1, 2).flatten(1),
    "rows": lambda m, x: m.second(m.first(x)[:, None, :].expand(-1, 2, 4)).flatten(1),
    "chunks": lambda m, x: torch.relu(m.first(x).chunk(2, dim=1)[1] - m.first(x).split([1, 3], dim=1)[0]),
    "mean": lambda m, x: m.first(x).mean(dim=1, keepdim=True) - m.first(x).sum(dim=1, keepdim=True),
    "stacked": lambda m, x: torch.stack([x[:, 0], 1.0 - x[:, 1]], dim=1).neg(),
    "selected": lambda m, x: m.first(x)[:, 2].unsqueeze(1) * m.first(x),
}


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("kind", [torch.float64, torch.float32])
def test_a_module_is_read(name: str, kind: torch.dtype) -> None:
    torch.manual_seed(0)
    module = Function(READ[name]).to(kind)
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
