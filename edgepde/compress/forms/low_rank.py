"""A matrix as the product of two thinner ones, the error weighed by what it does to the output.

With C the covariance of a layer's inputs and A the second moment of the output's adjoint at the layer, both over sample
points, the best rank r in the norm |A^(1/2) (W - W') C^(1/2)| is the truncated singular value decomposition there:
W' = A^(-1/2) U_r U_r^T A^(1/2) W. The mean of what is lost goes into the bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgepde.certify.network import Affine, Network, Node
from edgepde.compress.adjoint import adjoints
from edgepde.compress.budget import Part
from edgepde.compress.forms._prepared import Prepared
from edgepde.compress.joints import affine, shared_places

Array = NDArray[np.float64]
REGULAR = 1e-12
FINE = 64


@final
class LowRank(Prepared):
    """One part per affine map that a product can make smaller; option i is its i-th largest rank worth having."""

    def _parts(self) -> list[Part]:
        """Errors: the norm of what the rank leaves out."""
        places = _places(self.network)
        self.factors: dict[int, tuple[Array, Array, Array]] = {}
        if not places:
            return []
        at, slopes = adjoints(self.network, self.x)
        self.means = {place: at[self.network.nodes[place].sources[0]].mean(dim=0) for place in places}
        made = []
        for place in places:
            node = affine(self.network, place)
            self.factors[place] = _factors(node, at[node.sources[0]], slopes[place])
            singular = self.factors[place][2]
            tail = np.sqrt(np.cumsum(singular[::-1] ** 2)[::-1])
            errors = [float(tail[r]) if r < len(tail) else 0.0 for r in _ranks(node)]
            made.append(Part(str(place), (0.0, *errors)))
        return made

    def described(self, options: Sequence[int]) -> dict[int, tuple[str, int]]:
        """The ranks."""
        made = {}
        for place, rank in self._chosen(options).items():
            rows, columns = affine(self.network, place).weight.shape
            size = self.how.each * (rank_numbers(rows, columns, rank) + rows)
            made[place] = (f"low rank: {rows} x {columns} at rank {rank}", size)
        return made

    def apply(self, options: Sequence[int], x: Tensor) -> Network:
        """The network with each affine map at the rank of its option, whatever the points are by now."""
        del x
        chosen = self._chosen(options)
        nodes: list[Node] = []
        where: list[int] = []
        for place, node in enumerate(self.network.nodes):
            if place in chosen and isinstance(node, Affine):
                rank, (left, right, _) = chosen[place], self.factors[place]
                thin = torch.from_numpy(right[:rank] @ node.weight.numpy())
                wide = torch.from_numpy(left[:, :rank].copy())
                bias = node.bias + (node.weight - wide @ thin) @ self.means[place]
                nodes.append(Affine((where[node.sources[0]],), thin, thin.new_zeros(rank)))
                nodes.append(Affine((len(nodes) - 1,), wide, bias))
            else:
                nodes.append(moved(node, where))
            where.append(len(nodes) - 1)
        return Network(tuple(nodes))

    def _chosen(self, options: Sequence[int]) -> dict[int, int]:
        pairs = zip(_places(self.network), options, strict=True)
        return {place: _ranks(affine(self.network, place))[option - 1] for place, option in pairs if option}


FORM = LowRank


def moved(node: Node, where: Sequence[int]) -> Node:
    """The node with its sources at other places."""
    made: Node = replace(node, sources=tuple(where[s] for s in node.sources))  # type: ignore[type-var]
    return made


def _places(network: Network) -> list[int]:
    shared = shared_places(network)
    return [p for p, n in enumerate(network.nodes) if isinstance(n, Affine) and p not in shared and _ranks(n)]


def _ranks(node: Affine) -> list[int]:
    """Ranks at which two factors are smaller than the matrix, falling; of many some, closer together where small."""
    rows, columns = node.weight.shape
    most = (rows * columns - 1) // (rows + columns)
    if most <= FINE:
        return list(range(most, 0, -1))
    return sorted({int(r) for r in np.geomspace(1.0, most, FINE).round()}, reverse=True)


def rank_numbers(rows: int, columns: int, rank: int) -> int:
    """What two factors and the zero bias between them hold."""
    return rank * (rows + columns + 1)


def _factors(node: Affine, inputs: Tensor, slopes: Tensor) -> tuple[Array, Array, Array]:
    """(A^(-1/2) U, U^T A^(1/2), singular values) of A^(1/2) W C^(1/2)."""
    h = (inputs - inputs.mean(dim=0)).numpy()
    a = slopes.permute(1, 0, 2).reshape(-1, slopes.shape[2]).numpy()
    pull, back = root(a.T @ a / len(h))
    covariance, _ = root(h.T @ h / len(h))
    U, singular, _ = np.linalg.svd(pull @ node.weight.numpy() @ covariance)
    return back @ U, U.T @ pull, singular


def root(moment: Array) -> tuple[Array, Array]:
    """The square root of a symmetric positive matrix and its inverse, regularised."""
    eigenvalues, vectors = np.linalg.eigh(moment)
    roots = np.sqrt(np.maximum(eigenvalues, REGULAR * max(float(eigenvalues.max()), 1e-300)))
    return (vectors * roots) @ vectors.T, (vectors / roots) @ vectors.T
