"""Sine layers: high frequencies are learned as early as low ones. Source: arXiv:2006.09661."""

from __future__ import annotations

import math
from typing import Any, final

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from ._host import Host, dense


@final
class Siren(Host):
    """x -> sin(omega (W x + b)) in every hidden layer; omega: highest frequency of the start, over the half box."""

    name = "siren"

    def __init__(self, *given: Any, omega: float = 6.0, **settings: Any) -> None:
        super().__init__(*given, **settings)
        if not (math.isfinite(omega) and omega > 0):
            raise InputError(f"mollifier: host siren: omega: expected a number above 0, got {omega}")
        self.omega = float(omega)
        self.layers = dense([self.dimension, *[self.width] * self.depth, 1])
        with torch.no_grad():
            for place, layer in enumerate(self.layers):
                _start(layer, None if place == 0 else omega)

    def description(self) -> dict[str, Any]:
        """What builds this host again, without its weights, as JSON."""
        return {**super().description(), "omega": self.omega}

    def forward(self, *inputs: Tensor) -> Tensor:
        """u [M] at points [M, d]."""
        (points,) = inputs
        x = self.unit(points)
        for layer in self.layers[:-1]:
            x = torch.sin(self.omega * layer(x))
        out: Tensor = self.layers[-1](x)
        return self.offset + self.scale * out[:, 0]


def _start(layer: nn.Module, omega: float | None) -> None:
    """Weights with which sines of sines keep their spread; omega is None for the first layer."""
    assert isinstance(layer, nn.Linear)
    inputs = layer.in_features
    bound = 1.0 / inputs if omega is None else math.sqrt(6.0 / inputs) / omega
    layer.weight.uniform_(-bound, bound)
    layer.bias.uniform_(-bound, bound)


HOST = Siren
