"""A network of the certificate as a torch module, one parameter per weight and bias."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from edgepde.certify import rules
from edgepde.certify.network import (
    Affine,
    Blocks,
    Concat,
    Gather,
    Input,
    Network,
    Node,
    Pointwise,
    Product,
    Scale,
    Sum,
)

from .blocks import Held, held_blocks


@final
class NetworkModule(nn.Module):
    """x [M, d] -> y [M, *shape]: the network's nodes in its order, parameters of one dtype.

    Layers of equal matrices share them, and their biases where these are equal too. Blocks keep halves as halves.
    shape: that of a row of the output, [m] where None.
    """

    stores_halves = True

    def __init__(
        self, network: Network, shape: Sequence[int] | None = None, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.shape = (network.outputs,) if shape is None else tuple(shape)
        self.nodes = network.nodes
        self._names: dict[tuple[int, str], str] = {}
        for place, node in enumerate(network.nodes):
            for label in ("weight", "bias") if isinstance(node, Affine | Scale) else ():
                self._add(place, label, getattr(node, label), dtype)
            if isinstance(node, Gather):
                self.register_buffer(f"node{place}_index", node.index.clone())
            if isinstance(node, Blocks):
                self.add_module(f"node{place}", held_blocks(node, dtype))

    def _add(self, place: int, label: str, values: Tensor, dtype: torch.dtype) -> None:
        held = values.to(dtype)
        first = self._same(place, label, held)
        if first is not None:
            self._names[place, label] = first
            return
        name = f"node{place}_{label}"
        self.register_parameter(name, nn.Parameter(held.clone()))
        self._names[place, label] = name

    def _same(self, place: int, label: str, held: Tensor) -> str | None:
        """The parameter that is this one already: an equal matrix, or the bias of an equal matrix."""
        owner = self._names.get((place, "weight"), "")
        for (other, kind), name in self._names.items():
            known = self.get_parameter(name)
            fits = held.dim() == 2 if label == "weight" else kind == label and self._names[other, "weight"] == owner
            if fits and held.shape == known.shape and torch.equal(held, known):
                return name
        return None

    @property
    def dimension(self) -> int:
        """The number of inputs d."""
        first = self.nodes[0]
        assert isinstance(first, Input)
        return first.width

    def held(self, place: int, label: str) -> Tensor:
        """The parameter of a node."""
        return self.get_parameter(self.named(place, label))

    def named(self, place: int, label: str) -> str:
        """What the parameter of a node is called."""
        return self._names[place, label]

    def network(self) -> Network:
        """The network with the numbers that are held now, as float64."""
        return Network(tuple(self._now(place, node) for place, node in enumerate(self.nodes)))

    def blocks(self, place: int) -> Held:
        """The parameters and buffers of a Blocks node."""
        found = self.get_submodule(f"node{place}")
        assert isinstance(found, Held)
        return found

    def _now(self, place: int, node: Node) -> Node:
        if isinstance(node, Blocks):
            return self.blocks(place).node(node.sources)
        if not isinstance(node, Affine | Scale):
            return node
        weight, bias = (self.held(place, label).detach().double().cpu() for label in ("weight", "bias"))
        return type(node)(node.sources, weight, bias)

    def forward(self, x: Tensor) -> Tensor:
        """y [M, *shape]."""
        values: list[Tensor] = []
        for place, node in enumerate(self.nodes):
            values.append(x if isinstance(node, Input) else self._value(place, node, [values[s] for s in node.sources]))
        out = values[-1]
        if self.shape == (out.shape[1],):
            return out
        return out[:, 0] if self.shape == () else out.reshape(-1, *self.shape)

    def _value(self, place: int, node: Node, given: list[Tensor]) -> Tensor:  # noqa: PLR0911 - one line per kind
        if isinstance(node, Affine):
            return nn.functional.linear(given[0], self.held(place, "weight"), self.held(place, "bias"))
        if isinstance(node, Scale):
            return given[0] * self.held(place, "weight") + self.held(place, "bias")
        if isinstance(node, Blocks):
            made: Tensor = self.blocks(place)(given[0])
            return made
        if isinstance(node, Gather):
            return torch.index_select(given[0], 1, self.get_buffer(f"node{place}_index"))
        if isinstance(node, Concat):
            return torch.cat(given, dim=1)
        if isinstance(node, Product):
            return given[0] * given[1]
        if isinstance(node, Pointwise):
            return applied(node, given[0])
        total = given[0]
        for term in given[1:]:
            total = total + term
        assert isinstance(node, Sum)
        return total


def applied(node: Pointwise, x: Tensor) -> Tensor:
    """The function of a node by the operation torch has for it, else by its rule."""
    if node.function == "power":
        return x**node.exponent
    if node.function == "gelu_tanh":
        return nn.functional.gelu(x, approximate="tanh")
    function: Any = getattr(torch, node.function, None) or getattr(nn.functional, node.function, None)
    made: Tensor = rules.function(node.function, node.exponent).value(x) if function is None else function(x)
    return made
