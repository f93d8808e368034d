"""sin and cos: derivatives are the function itself a quarter turn ahead."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ._function import ORDERS, Function


class Wave(Function):
    """sin(x + quarter pi / 2); a point of a period where an interval may hold one counts as held."""

    turning = ((), (), (), (), ())
    absolute = (8.0, 8.0, 8.0, 8.0, 8.0)
    bound = 1.0
    quarter = 0

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        s, c = torch.sin(x), torch.cos(x)
        cycle = (s, c, -s, -c)
        return tuple(cycle[(k + self.quarter) % 4] for k in range(order + 1))

    def enclosure(self, order: int, ends: tuple[Tensor, Tensor], values: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        low, high = torch.minimum(*values), torch.maximum(*values)
        shift = 0.25 * ((order + self.quarter) % 4)
        high = torch.where(_holds(ends, 0.25 - shift), torch.ones_like(high), high)
        low = torch.where(_holds(ends, 0.75 - shift), -torch.ones_like(low), low)
        return self._outward(order, low, high)


def _holds(ends: tuple[Tensor, Tensor], turn: float) -> Tensor:
    """Whether 2 pi (turn + an integer) lies between the ends, in doubt yes."""
    first, last = ends[0] / (2.0 * math.pi) - turn, ends[1] / (2.0 * math.pi) - turn
    doubt = 1e-14 * (1.0 + ends[0].abs() + ends[1].abs())
    return ~(torch.ceil(first - doubt) > torch.floor(last + doubt))
