"""What every simulator does at its ends: inputs to [-1, 1], outputs to the field's unit."""

from __future__ import annotations

from abc import ABC

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

FLAT = 1e-7
"""A field that varies by less than this share of its mean has no scale of its own: float32 cannot tell."""


class Scaled(nn.Module, ABC):
    """Buffers centre and half width (`width`) [P] of the inputs' box, offset and scale [] of the field."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(inputs))
        self.register_buffer("width", torch.ones(inputs))
        self.register_buffer("offset", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))

    def fit_scales(self, low: NDArray[np.float64], high: NDArray[np.float64], field: NDArray[np.float32]) -> None:
        """Take the inputs' box and the mean and deviation of a field; a column of one value becomes 0."""
        half = np.where(high > low, (high - low) / 2.0, 1.0)
        mean = float(field.mean(dtype=np.float64))
        rms = float(field.std(dtype=np.float64))
        rms = rms if rms > FLAT * abs(mean) else 1.0
        for name, value in (("centre", (high + low) / 2.0), ("width", half), ("offset", mean), ("scale", rms)):
            self.get_buffer(name).copy_(torch.as_tensor(value))

    def scaled(self, x: Tensor) -> Tensor:
        """(x - centre) / width."""
        return (x - self.get_buffer("centre")) / self.get_buffer("width")

    def field(self, y: Tensor) -> Tensor:
        """offset + scale y."""
        return y * self.get_buffer("scale") + self.get_buffer("offset")
