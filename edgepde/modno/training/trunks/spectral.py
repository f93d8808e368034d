"""A trunk of coefficients: one number per feature and column."""

from __future__ import annotations

from typing import Self, final

import torch
from torch import Tensor, nn

from ..settings import Fit
from ..task import Task
from ._trunk import Trunk


@final
class SpectralTrunk(Trunk):
    """b is what is stored; a fresh one is zero."""

    def __init__(self, basis: Tensor) -> None:
        super().__init__()
        self.stored = nn.Parameter(basis)

    @classmethod
    def start(cls, task: Task, features: int, how: Fit, draw: torch.Generator) -> Self:  # noqa: ARG003
        """Zeros [features, P]."""
        like = task.train.targets
        return cls(torch.zeros(features, task.columns, dtype=like.dtype, device=like.device))

    def basis(self) -> Tensor:
        """b [K', P]."""
        return self.stored


TRUNK = SpectralTrunk
