"""Blocks of a network back into a hierarchical matrix, number for number, so that it can be updated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from edgepde.certify.network import Blocks
from edgepde.compress.blocked import Placed
from edgepde.hmatrix import unpacking
from edgepde.hmatrix.block_tree import block_tree
from edgepde.hmatrix.clusters import in_order
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HBlock, HMatrix

Array = NDArray[np.float64]


def unpacked(node: Blocks, placed: Placed, weight: Array, dtype: str, where: str) -> HMatrix:
    """The hierarchical matrix that a node holds, its blocks' errors those against the original weight [m, n].

    Raises InputError where the blocks do not lie in the clusters of their orders.
    """
    ordered = weight[np.ix_(placed.rows, placed.columns)]
    tree = block_tree(in_order(weight.shape[0], placed.leaf), in_order(weight.shape[1], placed.leaf), None)
    places = {tuple(bounds) for bounds in tree.bounds.tolist()}
    blocks = [_measured(block, ordered) for block in unpacking.unpacked(node.parts, tree)]
    if any((*block.rows, *block.columns) not in places for block in blocks):
        raise InputError(f"{where}: its blocks are not those of clusters of at most {placed.leaf}; compress anew")
    norm = float(np.linalg.norm(weight))
    error = float(np.sqrt(sum(block.error**2 for block in blocks)))
    config = HConfig(leaf=placed.leaf, eps=min(error / max(norm, 1e-300), 0.999))
    return HMatrix(placed.rows, placed.columns, tuple(blocks), config, norm, error, dtype)


def _measured(block: HBlock, ordered: Array) -> HBlock:
    lost = ordered[slice(*block.rows), slice(*block.columns)] - block.dense()
    return replace(block, error=float(np.linalg.norm(lost)))
