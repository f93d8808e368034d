"""The kinds of vectors a network is made of."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self, final

import torch
from edgepde_runtime.blocks import PackedBlocks
from edgepde_runtime.errors import InputError
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
    terms: at least as many, zeros among them, are in a device's sum, where it is not chained. computed: see Structured.
    """

    sources: tuple[int]
    weight: Tensor
    bias: Tensor
    chained: bool = True
    groups: tuple[Group, ...] = ()
    terms: int = 0
    computed: bool = False


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


class Structured(Node, ABC):
    """y = W x + bias, W known by what it does to vectors, for vectors too wide for a matrix.

    computed: a device computes the weights too, so that they need be none of its numbers.
    """

    sources: tuple[int]
    computed: bool = False

    @property
    @abstractmethod
    def shape_in(self) -> tuple[int, ...]:
        """The shape of one vector it takes."""

    @property
    @abstractmethod
    def shape_out(self) -> tuple[int, ...]:
        """The shape of one vector it makes."""

    @property
    @abstractmethod
    def terms(self) -> int:
        """As many products, zeros among them, are summed for one output at most; computing a weight counts 16."""

    @property
    @abstractmethod
    def shift(self) -> Tensor:
        """The bias, one number for every output [m]."""

    @property
    @abstractmethod
    def numbers(self) -> tuple[tuple[str, Tensor], ...]:
        """The stored numbers by name."""

    @abstractmethod
    def times(self, x: Tensor) -> Tensor:
        """W x [N, m] for x [N, n], in x's dtype, differentiable; a sum of `terms` products in any order."""

    @abstractmethod
    def with_numbers(self, *numbers: Tensor) -> Self:
        """The same node with others in the place of `numbers`."""

    @abstractmethod
    def like(self, other: Structured) -> bool:
        """Whether the other differs in its numbers alone."""

    @final
    def absolute(self, x: Tensor) -> Tensor:
        """|W| x."""
        return self.with_numbers(*(v.abs() for _, v in self.numbers)).times(x)

    @final
    def less(self, other: Structured) -> Self:
        """The node of W - other's W and of the difference of biases, every number rounded once."""
        pairs = zip(self.numbers, other.numbers, strict=True)
        return self.with_numbers(*(a - b for (_, a), (_, b) in pairs))


def width_of(node: Node, widths: list[int], place: int) -> int:  # noqa: PLR0911, PLR0912 - one per kind
    """The width of a node's vector; raises InputError where its numbers do not fit its sources' widths."""
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
    if isinstance(node, Structured):
        _check_structured(node, widths[0], place)
        return math.prod(node.shape_out)
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


def value_of(node: Node, given: list[Tensor]) -> Tensor:  # noqa: PLR0911 - one line per kind of node
    if isinstance(node, Affine):
        return given[0] @ node.weight.to(given[0].dtype).T + node.bias.to(given[0].dtype)
    if isinstance(node, Scale):
        return given[0] * node.weight.to(given[0].dtype) + node.bias.to(given[0].dtype)
    if isinstance(node, Blocks):
        whole = torch.from_numpy(sum(part.dense() for part in node.parts)).to(given[0])
        return given[0] @ whole.T + node.bias.to(given[0])
    if isinstance(node, Structured):
        return node.times(given[0]) + node.shift.to(given[0])
    if isinstance(node, Gather):
        return given[0][:, node.index]
    if isinstance(node, Concat):
        return torch.cat(given, dim=1)
    if isinstance(node, Product):
        return given[0] * given[1]
    if isinstance(node, Pointwise):
        return rules.function(node.function, node.exponent).value(given[0])
    return torch.stack(given).sum(dim=0)


def moved_to(node: Node, device: torch.device | str) -> Node:
    if isinstance(node, Affine):
        groups = tuple(Group(g.rows, g.columns.to(device)) for g in node.groups)
        return dataclasses.replace(node, weight=node.weight.to(device), bias=node.bias.to(device), groups=groups)
    if isinstance(node, Scale):
        return dataclasses.replace(node, weight=node.weight.to(device), bias=node.bias.to(device))
    if isinstance(node, Blocks):
        return dataclasses.replace(node, bias=node.bias.to(device))
    if isinstance(node, Structured):
        return node.with_numbers(*(v.to(device) for _, v in node.numbers))
    if isinstance(node, Gather):
        return Gather(node.sources, node.index.to(device))
    return node


def _check_structured(node: Structured, width: int, place: int) -> None:
    for label, values in node.numbers:
        if values.dtype != torch.float64 or not bool(torch.isfinite(values).all()):
            raise InputError(f"network: node {place} {label} expected finite float64 numbers")
    if math.prod(node.shape_in) != width:
        raise InputError(f"network: node {place} expected a vector of {list(node.shape_in)} numbers, got {width}")
