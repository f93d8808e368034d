"""Learning rates for layers in blocks: a step of Adam moves a sum of many terms further than one of few.

Both steps of the product are layers of their own, t = R^T x with as many terms as a cluster has columns, and y = L^T s
with as many as a row reads, so their rates are the dense layer's times n / terms. Source: arXiv:2406.06248.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from .layer import HLinear


def fan_in(layer: HLinear) -> tuple[float, float]:
    """(terms of a sum in the first step, in the second), means over the numbers that are held."""
    columns, rows = layer.layout.column_groups, layer.layout.row_groups
    reads = np.zeros(layer.out_features)
    for start, size, count in rows.tolist():
        reads[start : start + size] += count
    first = float(np.average(columns[:, 1], weights=columns[:, 1] * columns[:, 2])) if columns.size else 1.0
    return max(first, 1.0), max(float((reads**2).sum() / max(reads.sum(), 1.0)), 1.0)


def parameter_groups(module: nn.Module, rate: float) -> list[dict[str, Any]]:
    """Groups for Adam and its kin: everything at `rate`, the one that suits dense layers, blocks at theirs.

    >>> import torch
    >>> from edgepde.hmatrix.layer import HLinear
    >>> net = torch.nn.Sequential(HLinear(256, 256, rank=2), torch.nn.Tanh(), torch.nn.Linear(256, 1))
    >>> optimizer = torch.optim.Adam(parameter_groups(net, 1e-3))
    >>> len(optimizer.param_groups)
    3
    """
    made: list[dict[str, Any]] = []
    taken = set()
    for layer in module.modules():
        if isinstance(layer, HLinear):
            for parameter, terms in zip((layer.right, layer.left), fan_in(layer), strict=True):
                made.append({"params": [parameter], "lr": rate * max(1.0, layer.in_features / terms)})
                taken.add(id(parameter))
    rest = [parameter for parameter in module.parameters() if id(parameter) not in taken]
    return [{"params": rest, "lr": rate}, *made] if rest else made
