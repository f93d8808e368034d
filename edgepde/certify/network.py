"""Networks as the certificate sees them: a graph of affine maps, pointwise functions, sums and products of vectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch
from edgepde_runtime.blocks import PackedBlocks
from edgepde_runtime.errors import InputError
from numpy.typing import ArrayLike
from torch import Tensor

from . import rules


class Node:
    """One vector of the network; `sources` are the places of the vectors it is made of."""

    sources: tuple[int, ...]


@final
@dataclass(frozen=True, eq=False)
class Input(Node):
    """The point x [d]."""

    width: int
    sources: tuple[int, ...] = ()


@final
@dataclass(frozen=True, eq=False)
class Group:
    """The rows [start, stop) of a matrix whose terms at columns [k] a device sums in this order, chunk by chunk."""

    rows: tuple[int, int]
    columns: Tensor


@final
@dataclass(frozen=True, eq=False)
class Affine(Node):
    """weight [m, n] times a vector [n], plus bias [m]; chained: a device sums each output in the columns' order.

    groups: where there are any, a device sums them one after the other, what is in none being 0; the bias is 0.
    """

    sources: tuple[int]
    weight: Tensor
    bias: Tensor
    chained: bool = True
    groups: tuple[Group, ...] = ()


@final
@dataclass(frozen=True, eq=False)
class Scale(Node):
    """factor [n] times a vector [n], elementwise, plus bias [n]."""

    sources: tuple[int]
    weight: Tensor
    bias: Tensor


@final
@dataclass(frozen=True, eq=False)
class Gather(Node):
    """The entries of a vector at index [m]: slices, permutations, repetitions."""

    sources: tuple[int]
    index: Tensor


@final
@dataclass(frozen=True, eq=False)
class Concat(Node):
    """Vectors one after the other."""

    sources: tuple[int, ...]


@final
@dataclass(frozen=True, eq=False)
class Sum(Node):
    """The sum of vectors of one width."""

    sources: tuple[int, ...]


@final
@dataclass(frozen=True, eq=False)
class Product(Node):
    """The elementwise product of two vectors of one width."""

    sources: tuple[int, int]


@final
@dataclass(frozen=True, eq=False)
class Pointwise(Node):
    """A function of rules/ applied to every entry; exponent: that of `power`, else unused."""

    sources: tuple[int]
    function: str
    exponent: int = 0


@final
@dataclass(frozen=True, eq=False)
class Blocks(Node):
    """The sum of matrices [m, n] in block low-rank form times a vector [n], plus bias [m]."""

    sources: tuple[int]
    parts: tuple[PackedBlocks, ...]
    bias: Tensor


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
            widths.append(_width(node, [widths[s] for s in node.sources], place))
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
            values.append(x if isinstance(node, Input) else _value(node, [values[s] for s in node.sources]))
        return values[-1]

    def to(self, device: torch.device | str) -> Network:
        """The same network with its weights on another device."""
        return Network(tuple(_moved(node, device) for node in self.nodes))


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


def _width(node: Node, widths: list[int], place: int) -> int:
    if isinstance(node, Input):
        return node.width
    if isinstance(node, Affine | Scale):
        for label, values in (("weight", node.weight), ("bias", node.bias)):
            if values.dtype != torch.float64 or not bool(torch.isfinite(values).all()):
                raise InputError(f"network: node {place} {label} expected finite float64 numbers")
        wanted = (len(node.bias), widths[0]) if isinstance(node, Affine) else (widths[0],)
        if tuple(node.weight.shape) != wanted or node.bias.dim() != 1 or len(node.bias) != wanted[0]:
            raise InputError(f"network: node {place} weight expected shape {wanted}, got {tuple(node.weight.shape)}")
        return len(node.bias)
    if isinstance(node, Blocks):
        shapes = {(part.rows, part.columns) for part in node.parts}
        if shapes != {(len(node.bias), widths[0])} or not bool(torch.isfinite(node.bias).all()):
            raise InputError(
                f"network: node {place} blocks expected [{len(node.bias)}, {widths[0]}] and a finite bias, got {shapes}"
            )
        return len(node.bias)
    if isinstance(node, Gather):
        if len(node.index) and not 0 <= int(node.index.min()) <= int(node.index.max()) < widths[0]:
            raise InputError(f"network: node {place} index expected within 0 .. {widths[0] - 1}")
        return len(node.index)
    if isinstance(node, Concat):
        return sum(widths)
    if isinstance(node, Pointwise):
        rules.function(node.function, node.exponent)
    if len(set(widths)) != 1:
        raise InputError(f"network: node {place} expected sources of one width, got {widths}")
    return widths[0]


def _value(node: Node, given: list[Tensor]) -> Tensor:  # noqa: PLR0911 - one line per kind of node
    if isinstance(node, Affine):
        return given[0] @ node.weight.to(given[0].dtype).T + node.bias.to(given[0].dtype)
    if isinstance(node, Scale):
        return given[0] * node.weight.to(given[0].dtype) + node.bias.to(given[0].dtype)
    if isinstance(node, Blocks):
        whole = torch.from_numpy(sum(part.dense() for part in node.parts)).to(given[0])
        return given[0] @ whole.T + node.bias.to(given[0])
    if isinstance(node, Gather):
        return given[0][:, node.index]
    if isinstance(node, Concat):
        return torch.cat(given, dim=1)
    if isinstance(node, Product):
        return given[0] * given[1]
    if isinstance(node, Pointwise):
        return rules.function(node.function, node.exponent).value(given[0])
    return torch.stack(given).sum(dim=0)


def _moved(node: Node, device: torch.device | str) -> Node:
    if isinstance(node, Affine):
        groups = tuple(Group(g.rows, g.columns.to(device)) for g in node.groups)
        return dataclasses.replace(node, weight=node.weight.to(device), bias=node.bias.to(device), groups=groups)
    if isinstance(node, Scale):
        return dataclasses.replace(node, weight=node.weight.to(device), bias=node.bias.to(device))
    if isinstance(node, Blocks):
        return dataclasses.replace(node, bias=node.bias.to(device))
    if isinstance(node, Gather):
        return Gather(node.sources, node.index.to(device))
    return node
