"""The U-Net: past frames -> next frames, to be fed its own frames by a rollout."""

from __future__ import annotations

from itertools import pairwise
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .convolving import Convolved, Finer, rank_of
from .description import UNet
from .scaling import Scaled


def build(description: UNet) -> UNetModule:
    """The module of a description."""
    return UNetModule(description)


@final
class UNetModule(Scaled):
    """frames [M, k Y X], the oldest first -> [M, j, Y, X]; inputs and outputs are of one scale."""

    def __init__(self, description: UNet) -> None:
        super().__init__(1)
        self.description = how = description
        ranks = rank_of(how)

        def stage(inputs: int, outputs: int, count: int) -> nn.Sequential:
            sizes = [inputs, *[outputs] * count]
            return nn.Sequential(*(Convolved(how, 2, n, m, next(ranks)) for n, m in pairwise(sizes)))

        downs, ups, before = [], [], how.past
        for channels in how.channels:
            downs.append(stage(before, channels, 1 + how.repeats))
            before = channels
        for channels in reversed(how.channels[:-1]):
            ups.append(stage(before + channels, channels, 1 + how.repeats))
            before = channels
        self.downs, self.ups = nn.ModuleList(downs), nn.ModuleList(ups)
        self.pool, self.finer = nn.AvgPool2d(2), Finer((2, 2), how.upsampling)
        self.last = Convolved(how, 2, before, how.future, next(ranks), last=True)
        if how.direct:
            reach = how.direct // 2
            self.direct = nn.Conv2d(
                how.past, how.future, how.direct, padding=reach, padding_mode=how.padding, bias=False
            )
            nn.init.zeros_(self.direct.weight)
        if how.places:
            self.places = nn.Parameter(torch.zeros(how.past, how.rows, how.columns))

    def fit_scales(self, low: NDArray[np.float64], high: NDArray[np.float64], field: NDArray[np.float32]) -> None:
        """One scale for what goes in and what comes out, that of the field."""
        super().fit_scales(low[:1], high[:1], field)
        for mine, theirs in (("centre", "offset"), ("width", "scale")):
            self.get_buffer(mine).copy_(self.get_buffer(theirs))

    def forward(self, x: Tensor) -> Tensor:
        """[M, j, Y, X] in the field's unit."""
        how = self.description
        frames = self.scaled(x).reshape(-1, how.past, how.rows, how.columns)
        h, skips = frames + self.places if how.places else frames, []
        for level, down in enumerate(self.downs):
            h = down(self.pool(h) if level else h)
            skips.append(h)
        for up, skip in zip(self.ups, reversed(skips[:-1]), strict=True):
            h = up(torch.cat([self.finer(h), skip], dim=1))
        change = self.last(h) + self.direct(frames) if how.direct else self.last(h)
        newest = frames[:, -1:]
        if how.order:
            steps = torch.arange(1, how.future + 1, dtype=x.dtype, device=x.device)[:, None, None]
            newest = newest + steps * (newest - frames[:, -2:-1])
        return self.field(newest + change)
