"""A small generator for kernels of few numbers: product maps, modulated residual convolutions, trained axes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgepde.errors import SettingError

from .convolving import ACTIVATIONS, Finer, convolution, rank_of, spline
from .description import Convolutional, OfZone, several, whole
from .scaling import Scaled


@final
@dataclass(frozen=True)
class Modulated(Convolutional, OfZone):
    """Parameters -> field: `seeds` maps that are products of axes, mixed and convolved, then matrices of t, y and x.

    coarse: the first grid (y, x); channels of every stage, each on a grid twice as fine; repeats: convolutions on each
    grid after the first one. modes: of time. The parameters shift and stretch every channel after each convolution.
    """

    parameters: int = 6
    times: int = 32
    rows: int = 32
    columns: int = 32
    hidden: tuple[int, ...] = (48, 48)
    seeds: int = 48
    coarse: tuple[int, ...] = (8, 8)
    channels: tuple[int, ...] = (24, 24)
    repeats: int = 2
    modes: int = 16

    def __post_init__(self) -> None:
        self._check_convolutions()
        for name in ("parameters", "times", "rows", "columns", "seeds"):
            whole(name, getattr(self, name))
        whole("repeats", self.repeats, most=8)
        whole("modes", self.modes, most=self.times)
        for name in ("hidden", "channels", "coarse"):
            several(name, getattr(self, name))
        if len(self.coarse) != 2 or any(n > most for n, most in zip(self.last, (self.rows, self.columns), strict=True)):
            raise SettingError(f"coarse: expected two sizes that end within the zone, got {self.coarse}")
        self._check_reach("coarse", self.coarse, self.kernel)

    @property
    def last(self) -> tuple[int, ...]:
        """The grid of the last stage."""
        return tuple(n << (len(self.channels) - 1) for n in self.coarse)


def build(description: Modulated) -> ModulatedModule:
    """The module of a description."""
    return ModulatedModule(description)


@final
class ModulatedModule(Scaled):
    """x [M, P] -> u [M, T, Y, X].

    e = layers of x; h_cyx = sum_s mix_cs (seed e)_s row0_sy column0_sx; then per convolution K, where shapes agree
    h <- h + act((1 + stretch e) K h + shift e), else without the first h
    u_tyx = sum time_tm mixture(h)_mji row_jy column_ix
    """

    def __init__(self, description: Modulated) -> None:
        super().__init__(description.parameters)
        self.description = how = description
        layers: list[nn.Module] = []
        for n, m in pairwise([how.parameters, *how.hidden]):
            layers += [nn.Linear(n, m), ACTIVATIONS[how.activation]()]
        self.head, features = nn.Sequential(*layers), how.hidden[-1]
        self.seed = nn.Linear(features, how.seeds)
        self.rows0 = nn.Parameter(torch.randn(how.seeds, how.coarse[0], 1))
        self.columns0 = nn.Parameter(torch.randn(how.seeds, 1, how.coarse[1]))
        self.mix = nn.Conv2d(how.seeds, how.channels[0], 1)
        nn.init.normal_(self.mix.weight, std=(2.0 / how.seeds) ** 0.5)
        self.act = ACTIVATIONS[how.activation]()
        self.finer = Finer((2, 2), "linear")
        self.convolutions, self.modulations = nn.ModuleList(), nn.ModuleList()
        before, ranks = how.channels[0], rank_of(how)
        for stage, channels in enumerate(how.channels):
            for _ in range(how.repeats if stage else 1):
                self.convolutions.append(convolution(how, 2, before, channels, next(ranks)))
                self.modulations.append(nn.Linear(features, 2 * channels))
                before = channels
        self.mixture = nn.Conv2d(before, how.modes, 1)
        self.time = nn.Conv2d(how.modes, how.times, 1)
        self.row = nn.Parameter(torch.from_numpy(spline(how.last[0], how.rows)).float())
        self.column = nn.Parameter(torch.from_numpy(spline(how.last[1], how.columns)).float())

    def fit_basis(self, field: NDArray[np.float32]) -> None:
        """Start the time matrix at the leading modes of fields [N, T, Y, X]."""
        gram = np.zeros((field.shape[1],) * 2)
        for case in field:
            flat = case.reshape(len(case), -1).astype(np.float64)
            gram += flat @ flat.T
        modes = np.linalg.eigh(gram)[1][:, ::-1][:, : self.description.modes]
        with torch.no_grad():
            self.time.weight.copy_(torch.from_numpy(modes.copy())[:, :, None, None])
            self.time.bias.zero_()  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        """u [M, T, Y, X] in the field's unit."""
        how = self.description
        e = self.head(self.scaled(x))
        h = self.mix(self.seed(e)[:, :, None, None] * (self.rows0 * self.columns0))
        layers = zip(self.convolutions, self.modulations, strict=True)
        for place, (convolve, modulate) in enumerate(layers):
            if place and (place - 1) % how.repeats == 0:
                h = self.finer(h)
            made = convolve(h)
            both, channels = modulate(e)[:, :, None, None], made.shape[1]
            made = self.act(made * (both[:, :channels] + 1.0) + both[:, channels:])
            h = made + h if place and made.shape[1] == h.shape[1] else made
        h = torch.matmul(self.time(self.mixture(h)).transpose(2, 3), self.row).transpose(2, 3)
        return self.field(torch.matmul(h, self.column))
