"""Networks as the certificate sees them: a graph of affine maps, pointwise functions, sums and products of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from edgepde_runtime.errors import InputError
from numpy.typing import ArrayLike
from torch import Tensor

from .nodes import (
    Affine,
    Blocks,
    Concat,
    Gather,
    Group,
    Input,
    Node,
    Pointwise,
    Product,
    Scale,
    Structured,
    Sum,
    moved_to,
    value_of,
    width_of,
)

__all__ = [
    "Affine",
    "Blocks",
    "Concat",
    "Gather",
    "Group",
    "Input",
    "Network",
    "Node",
    "Pointwise",
    "Product",
    "Scale",
    "Structured",
    "Sum",
    "mlp",
    "tensor",
    "value_of",
]


@dataclass(frozen=True, eq=False)
class Network:
    """Nodes in an order in which every source precedes its uses; the first is the only input, the last the output.

    Weights become float64 and must be finite. Raises InputError where widths disagree or a weight is not finite.
    """

    nodes: tuple[Node, ...]
    widths: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        widths: list[int] = []
        for place, node in enumerate(self.nodes):
            if isinstance(node, Input) != (place == 0) or any(s >= place or s < 0 for s in node.sources):
                raise InputError(f"network: node {place} expected the input first and sources before their uses")
            widths.append(width_of(node, [widths[s] for s in node.sources], place))
        object.__setattr__(self, "widths", tuple(widths))

    @property
    def dimension(self) -> int:
        """The number of inputs d."""
        return self.widths[0]

    @property
    def outputs(self) -> int:
        """The number of outputs m."""
        return self.widths[-1]

    def __call__(self, x: Tensor) -> Tensor:
        """f(x) [N, m] at points x [N, d], in x's dtype; differentiable."""
        values: list[Tensor] = []
        for node in self.nodes:
            values.append(x if isinstance(node, Input) else value_of(node, [values[s] for s in node.sources]))
        return values[-1]

    def to(self, device: torch.device | str) -> Network:
        """The same network with its weights on another device."""
        return Network(tuple(moved_to(node, device) for node in self.nodes))


def mlp(weights: Sequence[ArrayLike], biases: Sequence[ArrayLike | None], activations: Sequence[str]) -> Network:
    """The network x -> W_L a(... a(W_1 x + b_1) ...) + b_L; weights [out, in], one activation between two layers."""
    if not weights or len(biases) != len(weights) or len(activations) != len(weights) - 1:
        raise InputError(
            f"mlp: expected as many biases as weights and one activation less, got {len(weights)} weights, "
            f"{len(biases)} biases, {len(activations)} activations"
        )
    nodes: list[Node] = [Input(int(np.shape(weights[0])[-1]))]
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        w = tensor(weight)
        b = w.new_zeros(w.shape[0]) if bias is None else tensor(bias)
        nodes.append(Affine((len(nodes) - 1,), w, b))
        if layer < len(activations):
            nodes.append(Pointwise((len(nodes) - 1,), activations[layer]))
    return Network(tuple(nodes))


def tensor(values: ArrayLike | Tensor) -> Tensor:
    """The values as a float64 tensor of their own."""
    if isinstance(values, Tensor):
        return values.detach().to(torch.float64).clone()
    return torch.tensor(np.asarray(values, dtype=np.float64))
