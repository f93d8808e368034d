"""What a matrix is held as: numbers that may be fitted again, how they make the matrix, the bytes they take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

REGULAR = 1e-10


@dataclass(frozen=True)
class Held:
    """dense(tensors) is the matrix [m, n]; nbytes of float32 numbers, indices and scales."""

    tensors: tuple[Tensor, ...]
    dense: Callable[[Sequence[Tensor]], Tensor]
    nbytes: float

    @property
    def weight(self) -> Tensor:
        """The matrix as it is held now."""
        return self.dense(self.tensors)


def as_it_is(weight: Tensor) -> Held:
    """The dense matrix."""
    return Held((weight,), lambda t: t[0], 4.0 * weight.numel())


def product(left: Tensor, right: Tensor, weight: Tensor) -> Held:
    """left right, or the dense weight where two factors save nothing."""
    numbers = left.numel() + right.numel()
    return Held((left, right), lambda t: t[0] @ t[1], 4.0 * numbers) if numbers < weight.numel() else as_it_is(weight)


def moment(inputs: Tensor) -> Tensor:
    """E[h h^T] [n, n], regularised."""
    made = inputs.T @ inputs / len(inputs)
    return made + REGULAR * made.diagonal().mean() * torch.eye(len(made), dtype=made.dtype)
