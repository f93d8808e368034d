"""Trunks in closed form: ridge regression on the features, and what the branch sees of it (variable projection).

All in float64; A [N, K'] features and Y [N, P] targets, rows already divided by what errors are relative to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from edgepde.errors import TrainingError

RIDGES = tuple(10.0**power for power in range(-13, 0))


class Solved(NamedTuple):
    """The trunk [K', P] and the factor of its normal equations."""

    trunk: Tensor
    factor: Tensor


def solve(A: Tensor, Y: Tensor, ridge: Tensor | float) -> Solved:
    """W = argmin |A W - Y|^2 / N + ridge |W|^2; TrainingError where the normal equations cannot be factorised."""
    A, Y = A.double(), Y.double()
    rows = len(A)
    normal = A.T @ A / rows + ridge * torch.eye(A.shape[1], dtype=A.dtype, device=A.device)
    factor, failed = torch.linalg.cholesky_ex(normal)
    if bool(failed.any()):
        raise TrainingError("a trunk's normal equations are singular in float64; a larger ridge helps")
    return Solved(torch.cholesky_solve(A.T @ Y / rows, factor), factor)


def path(A: Tensor, Y: Tensor, ridges: Sequence[float]) -> Iterator[Tensor]:
    """The trunks [K', P] of several ridges, from one spectral decomposition of A^T A / N."""
    A, Y = A.double(), Y.double()
    values, vectors = torch.linalg.eigh(A.T @ A / len(A))
    turned = vectors.T @ (A.T @ Y / len(A))
    for ridge in ridges:
        yield vectors @ (turned / (values.clamp(min=0.0) + ridge)[:, None])


def reduced(A: Tensor, Y: Tensor, ridge: Tensor | float) -> tuple[Tensor, Tensor]:
    """F(A) = min_W |A W - Y|^2 / N + ridge |W|^2 with its slope in A, and that W without one.

    At the minimum dF/dA is the partial slope at fixed W (Golub and Pereyra 1973).
    """
    with torch.no_grad():
        trunk = solve(A, Y, ridge).trunk
    misfit = A.double() @ trunk - Y
    return misfit.square().sum() / len(A) + ridge * trunk.square().sum(), trunk


def left_out(A: Tensor, Y: Tensor, ridge: Tensor | float) -> tuple[Tensor, Tensor]:
    """Mean of |(Y - A W)_n / (1 - h_n)|^2, h_n = a_n (A^T A + N ridge)^-1 a_n^T, with its slope, and W without one.

    It is the squared error on each case of the trunk that is solved without that case.
    """
    A = A.double()
    trunk, factor = solve(A, Y, ridge)
    leverage = (torch.cholesky_solve(A.T, factor).T * A).sum(1) / len(A)
    misfit = (Y - A @ trunk) / (1.0 - leverage)[:, None]
    return misfit.square().sum() / len(A), trunk.detach()
