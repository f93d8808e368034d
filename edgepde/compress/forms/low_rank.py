"""A matrix as the product of two thinner ones, the error weighed by what it does to the output.

With C the covariance of a layer's inputs and A the second moment of the output's adjoint at the layer, both over sample
points, the best rank r in the norm |A^(1/2) (W - W') C^(1/2)| is the truncated singular value decomposition there:
W' = A^(-1/2) U_r U_r^T A^(1/2) W. The mean of what is lost goes into the bias.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgepde.certify.network import Affine, Network, Node
from edgepde.compress.adjoint import adjoints
from edgepde.compress.budget import Part
from edgepde.compress.joints import numbers as stored
from edgepde.compress.joints import shared_places

Array = NDArray[np.float64]
REGULAR = 1e-12
FINE = 64


def parts(network: Network, x: Tensor) -> list[Part]:
    """One part per affine map that a product can make smaller; option i is its i-th largest rank worth having."""
    at, slopes = adjoints(network, x)
    made = []
    for place in _places(network):
        node = network.nodes[place]
        assert isinstance(node, Affine)
        _, _, singular = _factors(node, at[node.sources[0]], slopes[place])
        tail = np.sqrt(np.cumsum(singular[::-1] ** 2)[::-1])
        errors = [float(tail[r]) if r < len(tail) else 0.0 for r in _ranks(node)]
        made.append(Part(str(place), (0.0, *errors)))
    return made


def size(network: Network) -> Callable[[Sequence[int]], int]:
    """How many numbers the affine maps hold, as a function of the options."""
    held = {p: stored(network, p) for p, n in enumerate(network.nodes) if isinstance(n, Affine)}
    places = _places(network)

    def numbers(options: Sequence[int]) -> int:
        after = {p: _numbers(network, p, option) for p, option in zip(places, options, strict=True)}
        return sum((held | after).values())

    return numbers


def described(network: Network, options: Sequence[int]) -> dict[int, tuple[str, int]]:
    """Per affine map that changes: what becomes of it, and the numbers it then holds."""
    made = {}
    for place, option in zip(_places(network), options, strict=True):
        node = network.nodes[place]
        if option and isinstance(node, Affine):
            rows, columns = node.weight.shape
            rank = _ranks(node)[option - 1]
            made[place] = (f"low rank: {rows} x {columns} at rank {rank}", _numbers(network, place, option))
    return made


def apply(network: Network, options: Sequence[int], x: Tensor) -> Network:
    """The network with each affine map at the rank of its option."""
    at, slopes = adjoints(network, x)
    chosen = {place: option for place, option in zip(_places(network), options, strict=True) if option}
    nodes: list[Node] = []
    where: list[int] = []
    for place, node in enumerate(network.nodes):
        if place in chosen and isinstance(node, Affine):
            rank, inputs = _ranks(node)[chosen[place] - 1], at[node.sources[0]]
            left, right, _ = _factors(node, inputs, slopes[place])
            thin, wide = torch.from_numpy(right[:rank] @ node.weight.numpy()), torch.from_numpy(left[:, :rank].copy())
            bias = node.bias + (node.weight - wide @ thin) @ inputs.mean(dim=0)
            nodes.append(Affine((where[node.sources[0]],), thin, thin.new_zeros(rank)))
            nodes.append(Affine((len(nodes) - 1,), wide, bias))
        else:
            nodes.append(moved(node, where))
        where.append(len(nodes) - 1)
    return Network(tuple(nodes))


def moved(node: Node, where: Sequence[int]) -> Node:
    """The node with its sources at other places."""
    made: Node = object.__new__(type(node))
    for name, value in vars(node).items():
        object.__setattr__(made, name, value)
    object.__setattr__(made, "sources", tuple(where[s] for s in node.sources))
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


def _numbers(network: Network, place: int, option: int) -> int:
    node = network.nodes[place]
    assert isinstance(node, Affine)
    rows, columns = node.weight.shape
    return (rank_numbers(rows, columns, _ranks(node)[option - 1]) if option else rows * columns) + rows


def rank_numbers(rows: int, columns: int, rank: int) -> int:
    """What two factors and the zero bias between them hold."""
    return rank * (rows + columns + 1)


def _factors(node: Affine, inputs: Tensor, slopes: Tensor) -> tuple[Array, Array, Array]:
    """(A^(-1/2) U, U^T A^(1/2), singular values) of A^(1/2) W C^(1/2)."""
    h = (inputs - inputs.mean(dim=0)).numpy()
    a = slopes.permute(1, 0, 2).reshape(-1, slopes.shape[2]).numpy()
    root, inverse = _root(a.T @ a / len(h))
    covariance, _ = _root(h.T @ h / len(h))
    U, singular, _ = np.linalg.svd(root @ node.weight.numpy() @ covariance)
    return inverse @ U, U.T @ root, singular


def _root(moment: Array) -> tuple[Array, Array]:
    """The square root of a symmetric positive matrix and its inverse, regularised."""
    eigenvalues, vectors = np.linalg.eigh(moment)
    roots = np.sqrt(np.maximum(eigenvalues, REGULAR * max(float(eigenvalues.max()), 1e-300)))
    return (vectors * roots) @ vectors.T, (vectors / roots) @ vectors.T
