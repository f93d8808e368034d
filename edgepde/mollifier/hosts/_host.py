"""What every host of a field is: a network of points that knows its box and the scale of its values."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

LARGEST = 4096


class Host(nn.Module, ABC):
    """u(x) = offset + scale * network(2 (x - low) / (high - low) - 1), x in a box of d axes.

    low, high: corners [d]. width, depth: of the hidden layers. offset, scale: mean and spread of the values.
    cheap_on_grids: whether a tensor grid costs far less than its points one by one.
    Raises InputError naming the setting that is wrong.
    """

    name: ClassVar[str]
    cheap_on_grids: ClassVar[bool] = False
    low: Tensor
    high: Tensor

    def __init__(
        self,
        low: Sequence[float],
        high: Sequence[float],
        width: int = 64,
        depth: int = 3,
        offset: float = 0.0,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        where = f"mollifier: host {self.name}"
        if not 1 <= len(low) == len(high):
            raise InputError(f"{where}: low, high: expected as many numbers of each, got {len(low)} and {len(high)}")
        if not all(math.isfinite(a) and math.isfinite(b) and a < b for a, b in zip(low, high, strict=True)):
            raise InputError(f"{where}: low, high: expected finite low < high, got {list(low)} and {list(high)}")
        whole(where, width=width, depth=depth)
        if not (math.isfinite(offset) and math.isfinite(scale) and scale > 0):
            raise InputError(f"{where}: offset, scale: expected a number and one above 0, got {offset}, {scale}")
        self.width, self.depth, self.offset, self.scale = width, depth, float(offset), float(scale)
        self.register_buffer("low", torch.tensor([float(v) for v in low], dtype=torch.float64))
        self.register_buffer("high", torch.tensor([float(v) for v in high], dtype=torch.float64))

    @property
    def dimension(self) -> int:
        """How many coordinates."""
        return len(self.low)

    @property
    def dtype(self) -> torch.dtype:
        """That of the weights."""
        return next(self.parameters()).dtype

    def description(self) -> dict[str, Any]:
        """What builds this host again, without its weights, as JSON."""
        return {
            "host": self.name,
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "width": self.width,
            "depth": self.depth,
            "offset": self.offset,
            "scale": self.scale,
        }

    def unit(self, points: Tensor) -> Tensor:
        """Points [M, d] in the box as [-1, 1]^d; InputError for another number of columns."""
        if points.dim() != 2 or points.shape[1] != self.dimension:
            raise InputError(f"{self.name}: points: expected [M, {self.dimension}], got {list(points.shape)}")
        low, high = self.low.to(points.dtype), self.high.to(points.dtype)
        return 2.0 * (points - low) / (high - low) - 1.0

    def on_grid(self, axes: Sequence[Tensor]) -> Tensor:
        """u on the tensor grid of axes [n_1] .. [n_d]: [n_1, .., n_d]."""
        value: Tensor = self(grid_points(axes))
        return value.unflatten(-1, tuple(len(a) for a in axes))

    @abstractmethod
    def forward(self, *inputs: Tensor) -> Tensor:
        """u [M] at points [M, d]; with parameters [B, P] before them, [B, M]."""


def grid_points(axes: Sequence[Tensor]) -> Tensor:
    """All points [n_1 * .. * n_d, d] of a tensor grid, the last axis fastest."""
    return torch.stack([g.reshape(-1) for g in torch.meshgrid(*axes, indexing="ij")], dim=1)


def whole(where: str, **sizes: int) -> None:
    """InputError unless every size is from 1 to 4096."""
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST:
            raise InputError(f"{where}: {name}: expected a whole number from 1 to {LARGEST}, got {value!r}")


def dense(sizes: Sequence[int]) -> nn.ModuleList:
    """Affine layers between sizes, Xavier's start, zero biases."""
    made = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    for layer in made:
        nn.init.xavier_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    return nn.ModuleList(made)


def tanh_layers(layers: nn.ModuleList, x: Tensor) -> Tensor:
    """The layers with tanh between them."""
    for layer in layers[:-1]:
        x = torch.tanh(layer(x))
    out: Tensor = layers[-1](x)
    return out
