"""A plain tanh network of all coordinates."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor

from ._host import Host, dense, tanh_layers


@final
class Mlp(Host):
    """tanh layers [d, width x depth, 1]."""

    name = "mlp"

    def __init__(self, *given: Any, **settings: Any) -> None:
        super().__init__(*given, **settings)
        self.layers = dense([self.dimension, *[self.width] * self.depth, 1])

    def forward(self, *inputs: Tensor) -> Tensor:
        """u [M] at points [M, d]."""
        (points,) = inputs
        return self.offset + self.scale * tanh_layers(self.layers, self.unit(points))[:, 0]


HOST = Mlp
