"""Canonical sums of every kernel: singular value decompositions over two axes, alternating least squares over three."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgepde.factorconv.forms._form import Factors
from edgepde.factorconv.forms.cp import FORM
from edgepde.factorconv.geometry import Geometry

from ._als import Dense, best
from ._rows import by_rows
from .svd import halves


def fit(where: Geometry, kernel: Tensor, ranks: Sequence[int], seed: int) -> dict[str, Tensor]:
    """The best of rank R (1 and 2 axes); a good one, of terms that do not cancel (3 axes)."""
    (rank,) = ranks
    if where.axes == 1:
        return {"filters": kernel.unsqueeze(2)}
    if where.axes == 2:
        return {"filters": torch.cat(halves(kernel, rank), dim=-1)}
    ways = best(Dense(kernel.flatten(0, 1)), rank, seed)
    joined = torch.cat([way.mT for way in ways], dim=-1)
    return {"filters": joined.unflatten(0, (where.outputs, where.inputs))}


def shrink(where: Geometry, factors: Factors, ranks: Sequence[int], seed: int) -> dict[str, Tensor]:
    """The same from the kernels of a few outputs at a time."""
    return by_rows(FORM, fit, where, factors, ranks, seed)
