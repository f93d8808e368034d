"""A multi-layer perceptron as the shared branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, final

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from ._branch import Branch, whole

ACTIVATIONS: Mapping[str, type[nn.Module]] = {"tanh": nn.Tanh, "silu": nn.SiLU, "gelu": nn.GELU}


@final
class Mlp(Branch):
    """Affine layers with an activation between them, on coefficients times `scale` [inputs] (one over their spread).

    widths: of the hidden layers. activation: tanh, silu or gelu.
    """

    name: ClassVar[str] = "mlp"
    scale: Tensor

    def __init__(
        self, inputs: int, features: int, widths: Sequence[int] = (100, 100), activation: str = "silu"
    ) -> None:
        super().__init__(inputs, features)
        for at, width in enumerate(widths):
            whole("modno: branch mlp", **{f"widths[{at}]": width})
        if activation not in ACTIVATIONS:
            raise InputError(
                f"modno: branch mlp: activation: expected one of {sorted(ACTIVATIONS)}, got {activation!r}"
            )
        self.widths, self.activation = tuple(widths), activation
        self.register_buffer("scale", torch.ones(inputs))
        layers: list[nn.Module] = []
        last = inputs
        for width in self.widths:
            layers += [nn.Linear(last, width), ACTIVATIONS[activation]()]
            last = width
        self.layers = nn.Sequential(*layers, nn.Linear(last, features))

    def encode(self, x: Tensor) -> Tensor:
        """a(x; alpha) [B, features] of x [B, inputs]."""
        made: Tensor = self.layers(x * self.scale)
        return made

    def description(self) -> Mapping[str, Any]:
        """Sizes, widths and activation."""
        return {
            "kind": self.name,
            "inputs": self.inputs,
            "features": self.width,
            "widths": list(self.widths),
            "activation": self.activation,
        }


BRANCH = Mlp
