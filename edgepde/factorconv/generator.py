"""The generator: source parameters -> the whole field in the zone of interest, by an MLP and convolutions."""

from __future__ import annotations

from itertools import pairwise
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .convolving import ACTIVATIONS, Convolved, Finer, Splined, rank_of
from .description import Generator
from .scaling import Scaled


def build(description: Generator) -> GeneratorModule:
    """The module of a description."""
    return GeneratorModule(description)


@final
class GeneratorModule(Scaled):
    """x [M, P] -> u [M, T, Y, X]; `basis` [modes, T] is fixed before training where the description has modes."""

    def __init__(self, description: Generator) -> None:
        super().__init__(description.parameters)
        self.description = how = description
        widths = [how.parameters, *how.hidden]
        layers: list[nn.Module] = []
        for n, m in pairwise(widths):
            layers += [nn.Linear(n, m), ACTIVATIONS[how.activation]()]
        coarse = torch.Size(how.coarse)
        self.head = nn.Sequential(*layers, nn.Linear(widths[-1], how.channels[0] * coarse.numel()))
        self.body = _body(how)
        if how.modes:
            self.register_buffer("basis", torch.eye(how.modes, how.times))
        last, zone = how.grids[-1], how.zone
        factors = tuple(size // n for size, n in zip(zone, last, strict=True))
        self.finish: nn.Module = Splined(last, zone) if how.finish == "spline" else Finer(factors, how.finish)

    def fit_basis(self, field: NDArray[np.float32]) -> None:
        """Take the leading time modes of fields [N, T, Y, X], each as large as its coordinate's root mean square."""
        offset, scale = (float(self.get_buffer(name)) for name in ("offset", "scale"))
        gram = np.zeros((field.shape[1],) * 2)
        for case in field:
            flat = (case.reshape(len(case), -1).astype(np.float64) - offset) / scale
            gram += flat @ flat.T
        values, modes = np.linalg.eigh(gram / (field.size / field.shape[1]))
        size = np.sqrt(values.clip(min=0.0))
        kept = (modes * size)[:, ::-1][:, : self.description.modes].T
        self.get_buffer("basis").copy_(torch.from_numpy(kept.copy()))

    def forward(self, x: Tensor) -> Tensor:
        """u [M, T, Y, X] in the field's unit."""
        how = self.description
        h = self.head(self.scaled(x)).reshape(-1, how.channels[0], *how.coarse)
        h = self.body(h)
        if how.modes:
            h = (h.transpose(1, -1) @ self.get_buffer("basis")).transpose(1, -1)
        h = self.finish(h)
        return self.field(h[:, 0] if how.dimension == 3 else h)


def _body(how: Generator) -> nn.Sequential:
    ranks = rank_of(how)
    made: list[nn.Module] = []
    outputs = 1 if how.dimension == 3 else how.modes or how.times
    before = how.channels[0]
    for stage, channels in enumerate(how.channels):
        if stage:
            made.append(Finer((2,) * how.dimension, how.upsampling))
        for _ in range(how.repeats + (stage > 0)):
            made.append(Convolved(how, how.dimension, before, channels, next(ranks)))
            before = channels
    made.append(Convolved(how, how.dimension, before, outputs, next(ranks), last=True))
    return nn.Sequential(*made)
