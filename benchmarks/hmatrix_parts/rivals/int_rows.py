"""Integers of few or more bits, a scale per row; columns are rounded in turn, later ones make up for earlier ones.

Source: GPTQ, arXiv:2210.17323.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ._held import Held, moment

NAME = "per-row int8 (or fewer, more bits)"
LEAST, MOST = 2, 24


def settings(_shape: tuple[int, int]) -> Sequence[float]:
    """Bits per number."""
    return range(LEAST, MOST)


def held(weight: Tensor, inputs: Tensor, setting: float) -> Held:
    """The rounded matrix, nothing of it free to be fitted."""
    H, most = moment(inputs), 2.0 ** (int(setting) - 1) - 1.0
    H = H + 1e-6 * H.diagonal().mean() * torch.eye(len(H), dtype=H.dtype)
    upper = torch.linalg.cholesky(torch.linalg.inv(H), upper=True)
    scale = weight.abs().amax(dim=1) / most
    left, made = weight.clone(), torch.zeros_like(weight)
    for j in range(weight.shape[1]):
        made[:, j] = (left[:, j] / scale).round().clamp(-most, most) * scale
        left[:, j:] -= ((left[:, j] - made[:, j]) / upper[j, j])[:, None] * upper[j, j:]
    return Held((), lambda _: made, weight.numel() * int(setting) / 8.0 + 4.0 * len(weight))
