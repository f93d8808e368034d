"""Singular value decompositions of every kernel; over three axes one inside the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgepde.factorconv.forms._form import Factors
from edgepde.factorconv.forms.svd import FORM
from edgepde.factorconv.geometry import Geometry

from ._rows import by_rows


def fit(where: Geometry, kernel: Tensor, ranks: Sequence[int], seed: int) -> dict[str, Tensor]:
    """The best of rank R of every kernel (2 axes); then the best of rank Q of every right vector (3 axes)."""
    del seed
    if where.axes == 1:
        return {"way1": kernel}
    left, right = halves(kernel.flatten(3), ranks[0])
    made = {"way1": left}
    if where.axes == 2:
        return {**made, "way2": right}
    made["way2"], made["way3"] = halves(right.unflatten(-1, where.kernel[1:]), ranks[1])
    return made


def shrink(where: Geometry, factors: Factors, ranks: Sequence[int], seed: int) -> dict[str, Tensor]:
    """The same from the kernels of a few outputs at a time."""
    return by_rows(FORM, fit, where, factors, ranks, seed)


def halves(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Terms u_r [.., R, m] and v_r [.., R, n], equally large, of the best of rank R of matrices [.., m, n]."""
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    half = s[..., :rank].sqrt()[..., None]
    return u[..., :rank].mT * half, v[..., :rank, :] * half
