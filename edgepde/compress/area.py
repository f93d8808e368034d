"""Parts of the box with the error allowed in them, and points spread over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from edgepde_runtime.box import Box
from torch import Tensor


@dataclass(frozen=True)
class Area:
    """A box and the largest error allowed in it."""

    name: str
    box: Box
    limit: float

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """low and high [d]."""
        return torch.tensor(self.box.low, dtype=torch.float64), torch.tensor(self.box.high, dtype=torch.float64)

    def at(self, x: Tensor) -> Tensor:
        """The limit [N] at points x [N, d], infinite outside."""
        low, high = (side.to(x.dtype) for side in self.ends)
        inside = ((x >= low) & (x <= high)).all(dim=1)
        return x.new_full((len(x),), torch.inf).masked_fill(inside, self.limit)


def sampled(low: Tensor, high: Tensor, count: int, draw: torch.Generator) -> Tensor:
    """count points of the box, every fourth with a coordinate on a face."""
    x = torch.rand(count, len(low), generator=draw, dtype=torch.float64)
    rows = torch.arange(0, count, 4)
    columns = torch.randint(len(low), (len(rows),), generator=draw)
    x[rows, columns] = torch.randint(2, (len(rows),), generator=draw).double()
    return torch.minimum(low + x * (high - low), high)


def spread(areas: Sequence[Area], count: int, seed: int) -> Tensor:
    """count points of the whole box and half as many of every other area, in an order without pattern."""
    draw = torch.Generator().manual_seed(seed)
    made = [sampled(*area.ends, count // 2 if number else count, draw) for number, area in enumerate(areas)]
    x = torch.cat(made)
    return x[torch.randperm(len(x), generator=draw)]
