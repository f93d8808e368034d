"""A trunk that is a network of the points, as in DeepONets."""

from __future__ import annotations

from itertools import pairwise
from typing import Self, final

import torch
from torch import Tensor, nn

from edgepde.errors import DataError

from ..settings import Fit
from ..task import Task
from ._trunk import Trunk


@final
class NetworkTrunk(Trunk):
    """b[:, p] = network(2 (y_p - low) / (high - low) - 1) of points y [P, d], affine layers with silu between them."""

    points: Tensor

    def __init__(self, points: Tensor, features: int, width: int, depth: int) -> None:
        super().__init__()
        low, high = points.amin(0), points.amax(0)
        self.register_buffer("points", 2.0 * (points - low) / (high - low).clamp(min=1e-30) - 1.0, persistent=False)
        sizes = [points.shape[1], *[width] * depth]
        layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.SiLU())]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], features)).to(points)

    @classmethod
    def start(cls, task: Task, features: int, how: Fit, draw: torch.Generator) -> Self:
        """Weights uniform within one over the root of each layer's inputs; DataError for a task without points."""
        if task.points is None:
            raise DataError(f"operator {task.name}: points: a network as trunk needs them, got none")
        made = cls(task.points, features, how.width, how.depth)
        with torch.no_grad():
            for layer in made.layers:
                if isinstance(layer, nn.Linear):
                    bound = layer.in_features**-0.5
                    for held in (layer.weight, layer.bias):
                        fresh = torch.rand(held.shape, generator=draw, dtype=torch.float64)
                        held.copy_((2.0 * fresh - 1.0) * bound)
        return made

    def basis(self) -> Tensor:
        """b [K', P]."""
        made: Tensor = self.layers(self.points)
        return made.T


TRUNK = NetworkTrunk
