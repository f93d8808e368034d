"""Sums of products of networks of one coordinate each: on a tensor grid its exact derivatives cost next to nothing.

Source of the architecture: arXiv:2306.15969 (separable PINN).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from ._host import Host, dense, tanh_layers, whole
from ._jets import network_series


@final
class Separable(Host):
    """u(x) = offset + scale * sum_r prod_a network_a(x_a)_r, tanh layers [1, width x depth, rank] for every axis."""

    name = "separable"
    cheap_on_grids = True

    def __init__(self, *given: Any, rank: int = 32, **settings: Any) -> None:
        super().__init__(*given, **settings)
        whole("mollifier: host separable", rank=rank)
        self.rank = rank
        self.axes = nn.ModuleList(dense([1, *[self.width] * self.depth, rank]) for _ in range(self.dimension))
        with torch.no_grad():
            for layers in self.axes:
                assert isinstance(layers, nn.ModuleList)
                _spread(layers)

    def description(self) -> dict[str, Any]:
        """What builds this host again, without its weights, as JSON."""
        return {**super().description(), "rank": self.rank}

    def forward(self, *inputs: Tensor) -> Tensor:
        """u [M] at points [M, d]."""
        (points,) = inputs
        unit = self.unit(points)
        product = torch.ones(1, 1, dtype=unit.dtype, device=unit.device)
        for place in range(self.dimension):
            product = product * tanh_layers(self._layers(place), unit[:, place : place + 1])
        return self.offset + self.scale * product.sum(1)

    def on_grid(self, axes: Sequence[Tensor]) -> Tensor:
        """u [n_1, .., n_d]; every network sees n_a points only."""
        return self.offset + self.scale * self._sum([parts[0] for parts in self.series(axes, [0] * self.dimension)])

    def derivative(self, axes: Sequence[Tensor], orders: Sequence[int]) -> Tensor:
        """The exact derivative of these orders [n_1, .., n_d]."""
        return self.assemble(self.series(axes, orders), orders)

    def series(self, axes: Sequence[Tensor], highest: Sequence[int]) -> list[list[Tensor]]:
        """For every axis the derivatives 0 .. highest of its network by its coordinate, each [n_a, rank]."""
        if len(axes) != self.dimension:
            raise InputError(f"separable: axes: expected {self.dimension}, got {len(axes)}")
        made = []
        for place, (values, order) in enumerate(zip(axes, highest, strict=True)):
            low, high = (float(v[place]) for v in (self.low, self.high))
            scaled = 2.0 * (values - low) / (high - low) - 1.0
            parts = network_series(self._layers(place), scaled, order)
            made.append([(2.0 / (high - low)) ** k * part for k, part in enumerate(parts)])
        return made

    def assemble(self, series: Sequence[Sequence[Tensor]], orders: Sequence[int]) -> Tensor:
        """A derivative [n_1, .., n_d] from `series`."""
        found = self.scale * self._sum([parts[k] for parts, k in zip(series, orders, strict=True)])
        return found if any(orders) else self.offset + found

    def _layers(self, place: int) -> nn.ModuleList:
        layers = self.axes[place]
        assert isinstance(layers, nn.ModuleList)
        return layers

    def _sum(self, ways: Sequence[Tensor]) -> Tensor:
        """sum_r of products of [n_1, R] .. [n_d, R]."""
        if len(ways) == 1:
            return ways[0].sum(1)
        rows = ways[0]
        for way in ways[1:-1]:
            rows = rows.unsqueeze(-2) * way
        return rows @ ways[-1].T


def _spread(layers: nn.ModuleList) -> None:
    """Kinks over the whole of [-1, 1], so that the networks are not all alike at the start."""
    first = layers[0]
    assert isinstance(first, nn.Linear)
    first.weight.uniform_(-4.0, 4.0)
    first.bias.copy_(-first.weight[:, 0] * torch.empty_like(first.bias).uniform_(-1.0, 1.0))


HOST = Separable
