"""Gaussian units at shared centres, then a shared output layer: a branch with a Tauber-Wiener activation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self, final

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from ._branch import Branch, whole


@final
class Gaussian(Branch):
    """a(x) = exp(-|x * scale - centres|^2 / 2) @ output; scale [inputs], centres [units, inputs] (already scaled).

    output [units, features] says how the features mix the units.
    """

    name: ClassVar[str] = "gaussian"

    def __init__(self, inputs: int, features: int, units: int) -> None:
        super().__init__(inputs, features)
        whole("modno: branch gaussian", units=units)
        self.units = units
        self.scale = nn.Parameter(torch.ones(inputs))
        self.centres = nn.Parameter(torch.randn(units, inputs))
        self.output = nn.Parameter(torch.randn(units, features) / units**0.5)

    @classmethod
    def of(cls, centres: Tensor, width: Tensor | float, output: Tensor) -> Self:
        """exp(-|(x - c) / width|^2 / 2) @ output; centres [units, inputs], width a number or [inputs], above 0.

        Raises InputError where shapes disagree or a width is not above 0.
        """
        wide = torch.as_tensor(width, dtype=centres.dtype).expand(centres.shape[-1])
        if centres.dim() != 2 or output.dim() != 2 or len(centres) != len(output):
            raise InputError(
                "modno: branch gaussian: expected centres [units, inputs] and output [units, features], "
                f"got {list(centres.shape)} and {list(output.shape)}"
            )
        if not bool((torch.isfinite(wide) & (wide > 0)).all()):
            raise InputError("modno: branch gaussian: width: expected finite numbers above 0")
        made = cls(centres.shape[1], output.shape[1], len(centres)).to(centres.dtype)
        with torch.no_grad():
            made.scale.copy_(1.0 / wide)
            made.centres.copy_(centres / wide)
            made.output.copy_(output)
        return made

    def activations(self, x: Tensor) -> Tensor:
        """The units [B, units] of x [B, inputs]: exp(z.c - |z|^2 / 2 - |c|^2 / 2), z = x * scale."""
        z = x * self.scale
        half = 0.5 * (self.centres * self.centres).sum(1)
        return torch.exp(z @ self.centres.T - 0.5 * (z * z).sum(1, keepdim=True) - half)

    def encode(self, x: Tensor) -> Tensor:
        """a(x; alpha) [B, features] of x [B, inputs]."""
        return self.activations(x) @ self.output

    def description(self) -> Mapping[str, Any]:
        """Sizes."""
        return {"kind": self.name, "inputs": self.inputs, "features": self.width, "units": self.units}


BRANCH = Gaussian
