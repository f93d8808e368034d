"""An operator's own low-rank change of the shared branch."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn


@final
class Delta(nn.Module):
    """x -> x + (x @ left) @ right, left [I, r], right [r, I]; a fresh one changes nothing (right is zero)."""

    def __init__(self, inputs: int, rank: int, draw: torch.Generator, like: Tensor) -> None:
        super().__init__()
        left = torch.randn(inputs, rank, generator=draw, dtype=torch.float64) / inputs**0.5
        self.left = nn.Parameter(left.to(like))
        self.right = nn.Parameter(torch.zeros(rank, inputs, dtype=like.dtype, device=like.device))

    @property
    def parts(self) -> tuple[Tensor, Tensor]:
        """left and right, as the branch takes them."""
        return self.left, self.right
