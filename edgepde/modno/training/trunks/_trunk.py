"""What every trunk is: an operator's own output basis, one row per feature."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor, nn

from ..settings import Fit
from ..task import Task


class Trunk(nn.Module, ABC):
    """b [K', P] of K' features on the P columns of a task; its numbers are this operator's alone."""

    @classmethod
    @abstractmethod
    def start(cls, task: Task, features: int, how: Fit, draw: torch.Generator) -> Self:
        """A fresh one; DataError where the task lacks what it needs."""

    @abstractmethod
    def basis(self) -> Tensor:
        """b [K', P]."""
