"""What hosts of one network per coordinate share: values and derivatives on tensor grids from tables per axis."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from ._host import Host, dense
from ._jets import network_series


class SeparableHost(Host):
    """u = offset + scale * assembled(tables of network_a(x_a)), tanh layers [1, width x depth, outputs_a] per axis.

    slopes: the steepest kink of the start, per axis, over half the box.
    """

    cheap_on_grids = True

    def __init__(self, outputs: Sequence[int], slopes: Sequence[float], *given: Any, **settings: Any) -> None:
        super().__init__(*given, **settings)
        self.axes = nn.ModuleList(dense([1, *[self.width] * self.depth, k]) for k in outputs)
        with torch.no_grad():
            for place, slope in enumerate(slopes):
                _spread(self.layers(place), slope)

    def layers(self, place: int) -> nn.ModuleList:
        """The layers of one coordinate's network."""
        layers = self.axes[place]
        assert isinstance(layers, nn.ModuleList)
        return layers

    @abstractmethod
    def assembled(self, tables: Sequence[Tensor]) -> Tensor:
        """Tables [n_a, outputs_a] of all axes put together on the tensor grid, [n_1, .., n_d]."""

    def on_grid(self, axes: Sequence[Tensor]) -> Tensor:
        """u [n_1, .., n_d]; every network sees n_a points only."""
        return self.assemble(self.series(axes, [0] * self.dimension), [0] * self.dimension)

    def derivative(self, axes: Sequence[Tensor], orders: Sequence[int]) -> Tensor:
        """The exact derivative of these orders [n_1, .., n_d]."""
        return self.assemble(self.series(axes, orders), orders)

    def series(self, axes: Sequence[Tensor], highest: Sequence[int]) -> list[list[Tensor]]:
        """For every axis the derivatives 0 .. highest of its network by its coordinate, each [n_a, outputs_a]."""
        if len(axes) != self.dimension:
            raise InputError(f"{self.name}: axes: expected {self.dimension}, got {len(axes)}")
        made = []
        for place, (values, order) in enumerate(zip(axes, highest, strict=True)):
            low, high = (float(v[place]) for v in (self.low, self.high))
            parts = network_series(self.layers(place), 2.0 * (values - low) / (high - low) - 1.0, order)
            made.append([(2.0 / (high - low)) ** k * part for k, part in enumerate(parts)])
        return made

    def assemble(self, series: Sequence[Sequence[Tensor]], orders: Sequence[int]) -> Tensor:
        """A derivative [n_1, .., n_d] from `series`."""
        found = self.scale * self.assembled([parts[k] for parts, k in zip(series, orders, strict=True)])
        return found if any(orders) else self.offset + found


def _spread(layers: nn.ModuleList, slope: float) -> None:
    """Kinks over the whole of [-1, 1], so that the networks are not all alike at the start."""
    first = layers[0]
    assert isinstance(first, nn.Linear)
    first.weight.uniform_(-slope, slope)
    first.bias.copy_(-first.weight[:, 0] * torch.empty_like(first.bias).uniform_(-1.0, 1.0))
