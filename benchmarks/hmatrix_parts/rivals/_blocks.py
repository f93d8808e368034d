"""A matrix in blocks, dense and low-rank, columns weighed with the root mean square of what they multiply."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgepde.hmatrix.clusters import ClusterTree, bisected
from edgepde.hmatrix.compressing import compress
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HMatrix

from ._held import Held, as_it_is

LEAF = 16


def in_blocks(
    weight: Tensor, inputs: Tensor, setting: float, rows: ClusterTree | None, columns: ClusterTree | None
) -> Held:
    """The cheapest partition at a relative error in the weighed Frobenius norm."""
    size = inputs.square().mean(dim=0).sqrt().clamp(min=1e-12)
    made = compress((weight * size).numpy(), HConfig(leaf=LEAF, eps=setting), rows, columns, dtype="float64")
    if made.numbers >= weight.numel():
        return as_it_is(weight)
    return _held(made, size)


def by_signature(signature: Tensor) -> ClusterTree:
    """Halves along the first principal direction of columns [N, n], each without its mean and of length 1."""
    centred = signature - signature.mean(dim=0)
    points: NDArray[np.float64] = (centred / centred.norm(dim=0).clamp(min=1e-12)).T.numpy()

    def sort(indices: NDArray[np.int64]) -> NDArray[np.int64]:
        inside = points[indices] - points[indices].mean(axis=0)
        _, vectors = np.linalg.eigh(inside @ inside.T)
        return indices[np.argsort(vectors[:, -1], kind="stable")]

    return bisected(len(points), LEAF, sort)


def _held(made: HMatrix, size: Tensor) -> Held:
    tensors: list[Tensor] = []
    places = []
    scale = size[torch.from_numpy(made.column_order)]
    for block in made.blocks:
        back = scale[slice(*block.columns)]
        places.append((slice(*block.rows), slice(*block.columns), block.rank is not None))
        if block.left is not None and block.right is not None:
            tensors += [torch.from_numpy(block.left), (torch.from_numpy(block.right) / back[:, None]).T]
        else:
            tensors.append(torch.from_numpy(block.dense()) / back)
    row, column = (torch.from_numpy(np.argsort(o)) for o in (made.row_order, made.column_order))

    def dense(held: Sequence[Tensor]) -> Tensor:
        whole, left = torch.zeros(made.shape, dtype=torch.float64), list(held)
        for rows, columns, low in places:
            first = left.pop(0)
            whole[rows, columns] = first @ left.pop(0) if low else first
        return whole[row][:, column]

    return Held(tuple(tensors), dense, 4.0 * made.numbers)
