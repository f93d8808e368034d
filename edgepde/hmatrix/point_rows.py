"""The Jacobian of what a network says at points, by its dense matrices and biases, one layer after the other."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, final

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

Said = Callable[[nn.Module, Tensor], Tensor]


@final
class PointLinear(nn.Module):
    """y_i = W_i x_i + b_i for x [N, n]: every point has a matrix of its own, so that one slope by all is a row each."""

    def __init__(self, name: str, weight: Tensor, bias: Tensor | None, points: int) -> None:
        super().__init__()
        self.name, self.shape = name, tuple(weight.shape)
        held = torch.zeros(weight.shape[0]) if bias is None else bias
        self.weight = weight.detach().double().expand(points, *weight.shape).requires_grad_()
        self.bias = held.detach().double().expand(points, -1).requires_grad_()

    def forward(self, x: Tensor) -> Tensor:
        """y [N, m]."""
        if x.dim() != 2 or len(x) != len(self.weight):
            raise InputError(
                f"ntk_check: {self.name}: expected [{len(self.weight)}, n], one row a point, got {list(x.shape)}"
            )
        return torch.baddbmm(self.bias[:, None, :], x[:, None, :], self.weight.transpose(1, 2))[:, 0]


def twin(module: nn.Module, points: int) -> tuple[nn.Module, list[PointLinear]]:
    """A copy of the module in float64 with every linear layer a PointLinear, and these in their order.

    A linear layer is an nn.Linear, or a module with a method `dense` and a `bias`. Raises InputError where parameters
    are left that are in none.
    """
    whole = nn.Sequential(copy.deepcopy(module)).double()
    layers: list[PointLinear] = []
    for name, part in list(whole.named_modules()):
        weight = _weight(part)
        if weight is not None:
            parent, _, last = name.rpartition(".")
            label = f"{type(part).__name__} {name.removeprefix('0').lstrip('.')!r}"
            layers.append(PointLinear(label, weight, getattr(part, "bias", None), points))
            setattr(whole.get_submodule(parent), last, layers[-1])
    left = [name for name, _ in whole.named_parameters()]
    if left or not layers:
        what = f"parameter {left[0].removeprefix('0.')!r} is in none" if left else "found none"
        raise InputError(f"ntk_check: expected a network of linear layers and functions without parameters, {what}")
    return whole, layers


def rows(whole: nn.Module, layers: list[PointLinear], points: Tensor, said: Said) -> Iterator[Tensor]:
    """Per layer the slopes [N outputs, m n + m] of what is said at every point, by the matrix and the bias."""
    values = said(whole, points)
    values = values[:, None] if values.dim() == 1 else values
    if values.dim() != 2 or len(values) != len(points):
        raise InputError(f"ntk_check: expected one row a point, [{len(points)}, ..], got {list(values.shape)}")
    for layer in layers:
        parts = []
        for output in values.T:
            found: Any = torch.autograd.grad(
                output.sum(), [layer.weight, layer.bias], retain_graph=True, allow_unused=True, materialize_grads=True
            )
            parts.append(torch.cat([found[0].flatten(1), found[1]], dim=1))
        yield torch.cat(parts)


def _weight(part: nn.Module) -> Tensor | None:
    if isinstance(part, nn.Linear):
        return part.weight
    dense = getattr(part, "dense", None)
    if callable(dense) and hasattr(part, "bias"):
        made = dense()
        return made if isinstance(made, Tensor) else None
    return None
