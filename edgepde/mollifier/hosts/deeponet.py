"""A branch of the parameters against a trunk of the points: a field for every row of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from edgepde_runtime.errors import InputError
from torch import Tensor

from ._host import Host, dense, grid_points, tanh_layers, whole


@final
class DeepONet(Host):
    """u(mu, x) = offset + scale * sum_r branch_r(mu) trunk_r(x); parameters: their number P, rank: that of products."""

    name = "deeponet"

    def __init__(self, *given: Any, parameters: int = 1, rank: int = 32, **settings: Any) -> None:
        super().__init__(*given, **settings)
        whole("mollifier: host deeponet", parameters=parameters, rank=rank)
        self.inputs, self.rank = parameters, rank
        self.branch = dense([parameters, *[self.width] * self.depth, rank])
        self.trunk = dense([self.dimension, *[self.width] * self.depth, rank])

    def description(self) -> dict[str, Any]:
        """What builds this host again, without its weights, as JSON."""
        return {**super().description(), "parameters": self.inputs, "rank": self.rank}

    def forward(self, *inputs: Tensor) -> Tensor:
        """u [B, M] for parameters [B, P] at points [M, d]."""
        parameters, points = inputs
        if parameters.dim() != 2 or parameters.shape[1] != self.inputs:
            raise InputError(f"deeponet: parameters: expected [B, {self.inputs}], got {list(parameters.shape)}")
        trunk = tanh_layers(self.trunk, self.unit(points))
        return self.offset + self.scale * tanh_layers(self.branch, parameters) @ trunk.T

    def on_grid(self, axes: Sequence[Tensor], parameters: Tensor | None = None) -> Tensor:
        """u [B, n_1, .., n_d]; the trunk runs once for all rows of parameters."""
        if parameters is None:
            raise InputError(f"deeponet: parameters: expected [B, {self.inputs}], got none")
        value: Tensor = self(parameters, grid_points(axes))
        return value.unflatten(-1, tuple(len(a) for a in axes))


HOST = DeepONet
