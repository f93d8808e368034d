"""Depthwise-separable: for every input the singular value decomposition of its kernels, outputs against points."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgepde.factorconv.forms._form import Factors
from edgepde.factorconv.geometry import Geometry

from .svd import halves


def fit(where: Geometry, kernel: Tensor, ranks: Sequence[int], seed: int) -> dict[str, Tensor]:
    """The best there is."""
    del seed
    point, depth = halves(kernel.flatten(2).transpose(0, 1), ranks[0])
    return _named(where, point, depth)


def shrink(where: Geometry, factors: Factors, ranks: Sequence[int], seed: int) -> dict[str, Tensor]:
    """The best there is, by the triangles of QR decompositions of both factors."""
    del seed
    q, left = torch.linalg.qr(factors["point"].transpose(0, 1))
    p, right = torch.linalg.qr(factors["depth"].flatten(2).mT)
    u, v = halves(left @ right.mT, ranks[0])
    return _named(where, u @ q.mT, v @ p.mT)


def _named(where: Geometry, point: Tensor, depth: Tensor) -> dict[str, Tensor]:
    """Terms [S, M, T] and [S, M, k_1..k_d flat]."""
    return {"depth": depth.unflatten(-1, where.kernel).contiguous(), "point": point.permute(2, 0, 1).contiguous()}
