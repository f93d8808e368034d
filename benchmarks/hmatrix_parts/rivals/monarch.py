"""Products of two block-diagonal matrices with a permutation between them, projected in closed form.

Rows (strided) and columns fall into p groups; every p x p block of the matrix has rank r, which its singular value
decomposition gives. r = 1 is Monarch; more, the sum of r of them. The left factor is then fitted to the layer's output.
Source: arXiv:2204.00595.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ._held import Held, as_it_is, moment

NAME = "Monarch, two factors"


def settings(shape: tuple[int, int]) -> Sequence[float]:
    """p r, p a power of two up to sqrt(n): p alone first, then r."""
    most = _groups(shape)
    few = [2.0**k for k in range(int(math.log2(most)))]
    return [*few, *(float(most * r) for r in range(1, min(shape) // (2 * most) + 1))]


def held(weight: Tensor, inputs: Tensor, setting: float) -> Held:
    """left [p, m / p, p, r], right [p, p, r, n / p]."""
    most = _groups((weight.shape[0], weight.shape[1]))
    p, r = (int(setting), 1) if setting < most else (most, int(setting) // most)
    m, n = weight.shape
    blocks = weight.reshape(m // p, p, p, n // p).permute(1, 2, 0, 3)
    U, s, V = torch.linalg.svd(blocks, full_matrices=False)
    left, right = (U[..., :r] * s[..., None, :r]).permute(0, 2, 1, 3), V[:, :, :r]
    if left.numel() + right.numel() >= weight.numel():
        return as_it_is(weight)
    return Held((_refit(left, right, weight, inputs), right.clone()), _dense, 4.0 * (left.numel() + right.numel()))


def _groups(shape: tuple[int, int]) -> int:
    return int(2 ** int(math.log2(math.isqrt(min(shape)))))


def _dense(tensors: Sequence[Tensor]) -> Tensor:
    left, right = tensors
    p, rows = left.shape[:2]
    made = torch.einsum("iajr,ijrb->aijb", left, right)
    return made.reshape(p * rows, -1)


def _refit(left: Tensor, right: Tensor, weight: Tensor, inputs: Tensor) -> Tensor:
    p, rows, _, r = left.shape
    H, columns = moment(inputs), right.shape[3]
    made = []
    for i in range(p):
        spread = torch.zeros(p * r, p * columns, dtype=weight.dtype)
        for j in range(p):
            spread[j * r : (j + 1) * r, j * columns : (j + 1) * columns] = right[i, j]
        gram = spread @ H @ spread.T
        gram = gram + 1e-12 * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
        made.append(torch.linalg.solve(gram, spread @ H @ weight[i::p].T).T.reshape(rows, p, r))
    return torch.stack(made)
