"""Networks with matrices in block low-rank form: what is permuted where, and the bytes they take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from edgepde_runtime.blocks import PackedBlocks
from numpy.typing import NDArray
from torch import Tensor

from edgepde.certify.network import Affine, Blocks, Gather, Network, Node, Pointwise, Scale
from edgepde.hmatrix.hmatrix import HMatrix

INDEX = 8
Order = NDArray[np.int64]


@final
@dataclass(frozen=True, eq=False)
class Formed:
    """A matrix as blocks, and the bias [m] that goes with it, in the order of the network."""

    matrix: HMatrix
    bias: Tensor

    @property
    def parts(self) -> tuple[PackedBlocks, ...]:
        """The op's inputs, one set per dtype."""
        return self.matrix.packed(half=True)

    def nbytes(self, each: int) -> int:
        """What is stored for it: numbers, where they belong, bias."""
        return sum(array.nbytes for part in self.parts for array in part.arrays) + each * len(self.bias)

    @property
    def text(self) -> str:
        """For the ledger."""
        ranks = self.matrix.rank_histogram()
        dense = ranks.pop(None, 0)
        m, n = self.matrix.shape
        halves = ", some in half precision" if any(block.halves for block in self.matrix.blocks) else ""
        low = f"{sum(ranks.values())} of low rank up to {max((r or 0 for r in ranks), default=0)}"
        return f"hmatrix: {m} x {n} in {low} and {dense} dense blocks{halves}"


@final
@dataclass(frozen=True, eq=False)
class Placed:
    """Where an affine map is found as blocks: the node, the orders of its rows and columns, the clusters' leaf size."""

    node: int
    rows: Order
    columns: Order
    leaf: int


def placed(network: Network, formed: Mapping[int, Formed], original: Network) -> dict[int, Placed]:
    """Where blocked() put the affine maps of the original, which may hold blocks of its own."""
    if not formed:
        return {}
    own = {place for place, node in enumerate(original.nodes) if isinstance(node, Blocks)}
    nodes = [place for place, node in enumerate(network.nodes) if isinstance(node, Blocks)]
    made = {}
    for place, node in zip(sorted(own | set(formed)), nodes, strict=True):
        if place in formed:
            matrix = formed[place].matrix
            made[place] = Placed(node, matrix.row_order, matrix.column_order, matrix.config.leaf)
    return made


def blocked(network: Network, formed: Mapping[int, Formed]) -> Network:
    """The network with blocks in the place of affine maps, Gather where a vector has to come in another order.

    Affine maps, scales and functions next to them take the order over, so that hidden neurons need no Gather.
    """
    return _Writer(network, formed).written()


def gathers(network: Network) -> dict[int, int]:
    """Bytes of the permutations next to blocks, by their place."""
    made = {}
    for place, node in enumerate(network.nodes):
        if isinstance(node, Gather):
            readers = [n for n in network.nodes if place in n.sources]
            if isinstance(network.nodes[node.sources[0]], Blocks) or any(isinstance(n, Blocks) for n in readers):
                made[place] = INDEX * len(node.index)
    return made


class _Writer:
    """Nodes so far, where each of the network's is, and in which order its vector is held (None: its own)."""

    def __init__(self, network: Network, formed: Mapping[int, Formed]) -> None:
        self.network, self.formed = network, formed
        self.nodes: list[Node] = []
        self.where: list[int] = []
        self.order: list[Order | None] = []
        self.readers: list[list[int]] = [[] for _ in network.nodes]
        for place, node in enumerate(network.nodes):
            for source in node.sources:
                self.readers[source].append(place)

    def written(self) -> Network:
        """The network."""
        for place, node in enumerate(self.network.nodes):
            order = self._written(place, node)
            self.where.append(len(self.nodes) - 1)
            self.order.append(order)
        self._source(len(self.network.nodes) - 1, None)
        return Network(tuple(self.nodes))

    def _written(self, place: int, node: Node) -> Order | None:
        if place in self.formed:
            return self._blocks(self.formed[place], node.sources[0])
        if isinstance(node, Affine):
            return self._affine(place, node)
        held = self.order[node.sources[0]] if isinstance(node, Pointwise | Scale) else None
        sources = tuple(self._source(s, held) for s in node.sources)
        changes: dict[str, Any] = {"sources": sources}
        if isinstance(node, Scale) and held is not None:
            changes |= {"weight": node.weight[held], "bias": node.bias[held]}
        self.nodes.append(replace(node, **changes))  # type: ignore[type-var]
        return held

    def _blocks(self, formed: Formed, source: int) -> Order | None:
        matrix = formed.matrix
        at = self._source(source, _unsorted(matrix.column_order))
        self.nodes.append(Blocks((at,), formed.parts, formed.bias[torch.from_numpy(matrix.row_order.copy())]))
        return _unsorted(matrix.row_order)

    def _affine(self, place: int, node: Affine) -> Order | None:
        held, wanted = self.order[node.sources[0]], self._wanted(place)
        if held is None and wanted is None:
            self.nodes.append(replace(node, sources=(self.where[node.sources[0]],)))
            return None
        weight = node.weight if held is None else node.weight[:, held]
        rows = slice(None) if wanted is None else wanted
        self.nodes.append(Affine((self.where[node.sources[0]],), weight[rows], node.bias[rows], node.chained))
        return wanted

    def _wanted(self, place: int) -> Order | None:
        """The order in which blocks read what an affine map makes, where nothing else reads it."""
        while len(self.readers[place]) == 1:
            place = self.readers[place][0]
            if place in self.formed:
                return _unsorted(self.formed[place].matrix.column_order)
            if not isinstance(self.network.nodes[place], Pointwise | Scale):
                return None
        return None

    def _source(self, source: int, wanted: Order | None) -> int:
        """The place of a vector in the wanted order."""
        held = self.order[source]
        if held is wanted or (held is not None and wanted is not None and np.array_equal(held, wanted)):
            return self.where[source]
        index = np.arange(self.network.widths[source]) if wanted is None else wanted
        if held is not None:
            index = np.argsort(held)[index]
        self.nodes.append(Gather((self.where[source],), torch.from_numpy(np.array(index, dtype=np.int64))))
        return len(self.nodes) - 1


def _unsorted(order: Order) -> Order | None:
    return None if bool((np.diff(order) > 0).all()) else order
