"""sin and cos: derivatives are the function itself a quarter turn ahead."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ._function import ORDERS, Function, Span


class Wave(Function):
    """sin(x + quarter pi / 2); a point of a period where an interval may hold one counts as held."""

    turning = ((),) * ORDERS
    absolute = (8.0,) * ORDERS
    bound = 1.0
    quarter = 0

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        s, c = torch.sin(x), torch.cos(x)
        cycle = (s, c, -s, -c)
        return tuple(cycle[(k + self.quarter) % 4] for k in range(order + 1))

    def enclosure(self, order: int, span: Span) -> tuple[Tensor, Tensor]:
        """(low, high) of phi_order over the intervals; outward by its noise."""
        ends = span.at_low[order], span.at_high[order]
        low, high = torch.minimum(*ends), torch.maximum(*ends)
        shift = 0.25 * ((order + self.quarter) % 4)
        high = torch.where(_holds(span, 0.25 - shift), torch.ones_like(high), high)
        low = torch.where(_holds(span, 0.75 - shift), -torch.ones_like(low), low)
        return low - self.noise(order, low), high + self.noise(order, high)

    def largest(self, order: int, span: Span) -> Tensor:
        """sup |phi_order| over the intervals; outward by its noise."""
        low, high = self.enclosure(order, span)
        return torch.maximum(-low, high)


def _holds(span: Span, turn: float) -> Tensor:
    """Whether 2 pi (turn + an integer) lies within the intervals, in doubt yes."""
    first, last = span.low / (2.0 * math.pi) - turn, span.high / (2.0 * math.pi) - turn
    doubt = 1e-14 * (1.0 + span.magnitudes[1])
    return ~(torch.ceil(first - doubt) > torch.floor(last + doubt))
