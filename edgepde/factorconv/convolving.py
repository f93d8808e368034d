"""Pieces every simulator is made of: a padded convolution of any form, its activation, its norm, grids made finer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from torch import Tensor, nn

from .description import Convolutional

DENSE: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORMS: dict[str, dict[int, Any]] = {
    "batch": {2: nn.BatchNorm2d, 3: nn.BatchNorm3d},
    "instance": {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d},
}
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
}
MODES = {"linear": {2: "bilinear", 3: "trilinear"}, "nearest": {2: "nearest", 3: "nearest"}}


def convolution(how: Convolutional, dimension: int, inputs: int, outputs: int, rank: Any) -> nn.Module:
    """A convolution [B, inputs, *n] -> [B, outputs, *n] of the description's form, padded as it says."""
    arguments = {"padding": how.kernel // 2, "padding_mode": how.padding}
    if how.form == "dense" or how.kernel == 1:
        dense: nn.Module = DENSE[dimension](inputs, outputs, how.kernel, **arguments)
        return dense
    from . import layers

    factored: nn.Module = getattr(layers, f"FactorConv{dimension}d")(
        inputs, outputs, how.kernel, form=how.form, rank=rank, **arguments
    )
    return factored


@final
class Convolved(nn.Module):
    """A convolution of the description's form, then norm and activation: [B, S, *n] -> [B, T, *n]."""

    def __init__(
        self, how: Convolutional, dimension: int, inputs: int, outputs: int, rank: Any, last: bool = False
    ) -> None:
        super().__init__()
        self.convolution = convolution(how, dimension, inputs, outputs, rank)
        after: list[nn.Module] = []
        if not last:
            if how.norm != "none":
                after.append(NORMS[how.norm][dimension](outputs))
            after.append(ACTIVATIONS[how.activation]())
        self.after = nn.Sequential(*after)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, *n]."""
        out: Tensor = self.after(self.convolution(x))
        return out


@final
class Finer(nn.Module):
    """Grids made finer by whole factors, each axis on its own: interpolation between cell centres, or nearest cells."""

    def __init__(self, factors: tuple[int, ...], kind: str) -> None:
        super().__init__()
        self.factors = [float(f) for f in factors]
        self.mode = MODES[kind][len(factors)]

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, *n] -> [B, C, *factors n]."""
        if all(f == 1.0 for f in self.factors):
            return x
        corners = None if self.mode == "nearest" else False
        return nn.functional.interpolate(x, scale_factor=self.factors, mode=self.mode, align_corners=corners)


@final
class Splined(nn.Module):
    """Cubic interpolation from n to N points of every axis, as fixed matrices [n, N]; end points are kept."""

    def __init__(self, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        super().__init__()
        self.names = []
        for axis, (n, size) in enumerate(zip(before, after, strict=True)):
            if n != size:
                self.names.append((axis - len(before), f"axis{axis}"))
                self.register_buffer(f"axis{axis}", torch.from_numpy(spline(n, size)).float())

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, *before] -> [B, C, *after]."""
        for axis, name in reversed(self.names):
            matrix = self.get_buffer(name)
            x = x @ matrix if axis == -1 else (x.transpose(axis, -1) @ matrix).transpose(axis, -1)
        return x


def spline(n: int, size: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """[n, size]: values at n equal steps -> values of the cubic through them at `size` equal steps, ends included."""
    if n == 1:
        return np.ones((1, size))
    at, wanted = np.linspace(0.0, 1.0, n), np.linspace(0.0, 1.0, size)
    return np.asarray(CubicSpline(at, np.eye(n), axis=0)(wanted).T)


def rank_of(how: Convolutional) -> Iterator[Any]:
    """The rank of each convolution in order."""
    place = 0
    while True:
        yield how.ranks[place] if place < len(how.ranks) else how.rank
        place += 1
