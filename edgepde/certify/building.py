"""A network under construction: vectors made so far, and tensors of a graph as views of their entries."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from edgepde_runtime.errors import UnsupportedModel
from numpy.typing import NDArray
from torch import Tensor

from .network import Concat, Gather, Input, Network, Node


@dataclass(frozen=True)
class Value:
    """A tensor of a graph, batch first and 1: entry i of its flat form is entry index.flat[i] of a node."""

    node: int
    index: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape."""
        return self.index.shape

    def spread(self, shape: tuple[int, ...]) -> Value:
        """The tensor repeated to a shape."""
        return self if shape == self.shape else Value(self.node, np.broadcast_to(self.index, shape))


@final
class Builder:
    """Nodes in order, the input [1, d] first; equal nodes are one: a device computes equal bits for equal operations.

    `here` is what errors call the node of the graph that is being read.
    """

    def __init__(self, d: int) -> None:
        self.nodes: list[Node] = [Input(d)]
        self.widths = [d]
        self.here = ""
        self._made: dict[Hashable, int] = {}

    @property
    def input(self) -> Value:
        """The point."""
        return Value(0, np.arange(self.widths[0])[None])

    def add(self, node: Node, shape: Sequence[int]) -> Value:
        """The tensor of the given shape that is a node's vector."""
        width = math.prod(shape)
        key = _key(node)
        place = self._made.get(key)
        if place is None:
            place = self._made[key] = len(self.nodes)
            self.nodes.append(node)
            self.widths.append(width)
        return Value(place, np.arange(width).reshape(tuple(shape)))

    def flat(self, value: Value) -> int:
        """The place of a node that is the value's flat form."""
        index = value.index.ravel()
        if index.size == self.widths[value.node] and bool((index == np.arange(index.size)).all()):
            return value.node
        return self.add(Gather((value.node,), torch.from_numpy(index.copy())), value.shape).node

    def beside(self, parts: Sequence[Value]) -> list[Value]:
        """The same tensors as views of one node."""
        if len({p.node for p in parts}) <= 1:
            return list(parts)
        starts = np.concatenate([[0], np.cumsum([p.index.size for p in parts])])
        whole = self.add(Concat(tuple(self.flat(p) for p in parts)), (int(starts[-1]),))
        return [
            Value(whole.node, start + np.arange(p.index.size).reshape(p.shape))
            for start, p in zip(starts, parts, strict=False)
        ]

    def origin(self, value: Value) -> tuple[int, NDArray[np.int64]]:
        """The node, no Gather, and the entries of it that the value's are."""
        place, index = value.node, value.index
        while isinstance(node := self.nodes[place], Gather):
            place, index = node.sources[0], node.index.numpy()[index]
        return place, index

    def refuse(self, why: str) -> UnsupportedModel:
        """The error for the node being read."""
        return UnsupportedModel(f"{self.here}: {why}")

    def network(self, value: Value) -> Network:
        """The network whose output is this value, without nodes that do not count."""
        last = self.flat(value)
        if last == 0:
            last = self.add(Gather((0,), torch.arange(self.widths[0])), (self.widths[0],)).node
        wanted = {0, last}
        for place in range(last, 0, -1):
            if place in wanted:
                wanted.update(self.nodes[place].sources)
        kept = sorted(wanted)
        renamed = {old: new for new, old in enumerate(kept)}
        return Network(tuple(_renamed(self.nodes[place], renamed) for place in kept))


def _renamed(node: Node, places: dict[int, int]) -> Node:
    if isinstance(node, Input):
        return node
    made: Node = dataclasses.replace(node, sources=tuple(places[s] for s in node.sources))  # type: ignore[type-var]
    return made


def _key(node: Node) -> Hashable:
    members = [getattr(node, f.name) for f in dataclasses.fields(node)]  # type: ignore[arg-type]
    return type(node), *(
        (tuple(m.shape), m.contiguous().numpy().tobytes()) if isinstance(m, Tensor) else m for m in members
    )
