"""Sums of products of networks of one coordinate each: on a tensor grid its exact derivatives cost next to nothing.

Source of the architecture: arXiv:2306.15969 (separable PINN).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from ._host import tanh_layers, whole
from ._separable import SeparableHost

SLOPE = 4.0


@final
class Separable(SeparableHost):
    """u(x) = offset + scale * sum_r prod_a network_a(x_a)_r, tanh layers [1, width x depth, rank] for every axis."""

    name = "separable"

    def __init__(self, low: Sequence[float], *given: Any, rank: int = 32, **settings: Any) -> None:
        whole("mollifier: host separable", rank=rank)
        super().__init__([rank] * len(low), [SLOPE] * len(low), low, *given, **settings)
        self.rank = rank

    def description(self) -> dict[str, Any]:
        """What builds this host again, without its weights, as JSON."""
        return {**super().description(), "rank": self.rank}

    def forward(self, *inputs: Tensor) -> Tensor:
        """u [M] at points [M, d]."""
        (points,) = inputs
        unit = self.unit(points)
        product = torch.ones(1, 1, dtype=unit.dtype, device=unit.device)
        for place in range(self.dimension):
            product = product * tanh_layers(self.layers(place), unit[:, place : place + 1])
        return self.offset + self.scale * product.sum(1)

    def assembled(self, tables: Sequence[Tensor]) -> Tensor:
        """sum_r of products of [n_1, rank] .. [n_d, rank]."""
        if len(tables) == 1:
            return tables[0].sum(1)
        rows = tables[0]
        for table in tables[1:-1]:
            rows = rows.unsqueeze(-2) * table
        return rows @ tables[-1].T


HOST = Separable
