"""How all nets of the training study are trained: Adam, a falling rate, block penalty, blocks that adapt."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from _harness import Row
from edgepde_runtime.blocks import Block
from torch import Tensor, nn

from edgepde.hmatrix.adapt import Adaptivity, adapt, dense_slopes
from edgepde.hmatrix.layer import HLinear
from edgepde.hmatrix.layout import Layout
from edgepde.hmatrix.penalty import block_penalty
from edgepde.hmatrix.rates import parameter_groups

WHEN = (0.15, 0.3, 0.45)
Loss = Callable[[nn.Module, int], Tensor]


@dataclass(frozen=True)
class How:
    """steps of Adam at a rate that falls as a cosine; at WHEN of them blocks adapt."""

    steps: int
    rate: float
    penalty: float = 0.0
    adaptivity: Adaptivity | None = None

    def part(self, begin: float, end: float) -> How:
        """The steps of a part of the training; its rate starts where the whole one's would be."""
        falls = 0.5 * (1.0 + math.cos(math.pi * begin))
        return replace(self, steps=round(self.steps * (end - begin)), rate=self.rate * falls)


def train(net: nn.Module, loss: Loss, how: How) -> nn.Module:
    """The net after its steps; loss(net, step)."""
    optimizer = torch.optim.Adam(parameter_groups(net, how.rate))
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, how.steps)
    changes = {round(how.steps * share) for share in WHEN} if how.adaptivity else set()
    for step in range(how.steps):
        if step in changes and how.adaptivity is not None:
            slopes = dense_slopes(net, lambda: loss(net, step))  # noqa: B023 - called at once
            for name, layer in net.named_modules():
                if isinstance(layer, HLinear):
                    adapt(layer, how.adaptivity, slope=slopes[name]).carry(optimizer)
        optimizer.zero_grad()
        value = loss(net, step)
        (value + how.penalty * block_penalty(net) if how.penalty else value).backward()
        optimizer.step()
        falling.step()
    return net


def low_rank(n: int, m: int, numbers: int, bias: bool = True) -> HLinear:
    """One block of as high a rank as the numbers allow, with the same start and rates as other blocks."""
    layer = HLinear(n, m, bias=bias)
    layer.arrange(Layout(m, n, (Block((0, m), (0, n), max(1, numbers // (n + m))),)))
    layer.reset_parameters()
    return layer


def row(case: str, rival: str, errors: Sequence[float], note: str) -> Row:
    """The median of all seeds with the least and the largest."""
    spread = (min(errors), max(errors))
    return Row(
        case, rival, "", float(np.median(errors)), spread=spread, note=f"{note}; least .. largest of {len(errors)}"
    )
