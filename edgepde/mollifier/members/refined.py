"""The estimator, and a small convolutional network that corrects what it makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from ..grid import Grid
from ._member import Member
from .estimator import Estimate, Estimator, EstimatorModule

MOST = 4.0
"""Corrections that the readings themselves suggest are cut here, in parts of the range of lambda."""


@final
@dataclass(frozen=True)
class Refined(Member):
    """estimator: what is corrected. width: channels. kernel: of the three convolutions, odd."""

    kind: ClassVar[str] = "refined"
    estimator: Estimator
    width: int = 16
    kernel: int = 5

    def build(self, grid: Grid) -> RefinedModule:
        """The module, its correction 0 until it is trained."""
        if not 1 <= self.width <= 128 or not 1 <= self.kernel <= 31 or self.kernel % 2 == 0:
            raise InputError(
                f"refined: expected a width up to 128 and an odd kernel up to 31, got {self.width} and {self.kernel}"
            )
        return RefinedModule(self, grid)


MEMBER = Refined


@final
class RefinedModule(nn.Module):
    """Readings [M, n] -> Estimate: lambda of the estimator + span * network(lambda, information, local misfit)."""

    def __init__(self, how: Refined, grid: Grid) -> None:
        super().__init__()
        self.estimator: EstimatorModule = how.estimator.build(grid)
        middle, span = (how.estimator.high + how.estimator.low) / 2.0, (how.estimator.high - how.estimator.low) / 2.0
        known = span < 1e20
        self.middle, self.span = (middle, span) if known else (how.estimator.scale, how.estimator.scale)
        w, k, pad = how.width, how.kernel, how.kernel // 2
        self.first, self.second, self.last = (nn.Conv2d(a, b, k, padding=pad) for a, b in ((3, w), (w, w), (w, 1)))
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, readings: Tensor) -> Estimate:
        """The estimate of every row."""
        wanted, factor = self.estimator.sides(readings)
        s_dd, s_nd = self.estimator.sums(wanted, factor)
        lam, spread, converged = self.estimator.solve(s_dd, s_nd)
        better = self.corrected(self.maps(lam, s_dd, s_nd))
        return self.estimator.judged(better, spread, converged, wanted, factor)

    def features(self, readings: Tensor) -> Tensor:
        """What the network sees [M, 3, Y, X]."""
        s_dd, s_nd = self.estimator.sums(*self.estimator.sides(readings))
        return self.maps(self.estimator.solve(s_dd, s_nd)[0], s_dd, s_nd)

    def maps(self, lam: Tensor, s_dd: Tensor, s_nd: Tensor) -> Tensor:
        """lambda in parts of its range; how much is known near a place; the change of lambda asked for there."""
        how = self.estimator.how
        held = lam.clamp(how.low, how.high)
        near = self.estimator.solve.nearby(s_dd)
        mean = near.mean((1, 2), keepdim=True)
        asked = self.estimator.solve.nearby(s_nd - held * s_dd) / (self.span * (near + 0.1 * mean))
        parts = ((held - self.middle) / self.span, near / (near + mean) - 0.5, asked.clamp(-MOST, MOST))
        return torch.stack(parts, dim=1)

    def corrected(self, maps: Tensor) -> Tensor:
        """lambda [M, Y, X] of what the network sees."""
        hidden = torch.tanh(self.second(torch.tanh(self.first(maps))))
        return self.middle + self.span * (maps[:, 0] + self.last(hidden)[:, 0])
