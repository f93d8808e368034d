"""Functions defined for x > 0 only."""

from __future__ import annotations

import torch
from torch import Tensor

from ._function import Function, Span


class HalfLine(Function):
    """Over an interval that holds a point <= 0 every enclosure is infinite."""

    def enclosure(self, order: int, span: Span) -> tuple[Tensor, Tensor]:
        """(low, high) of phi_order over the intervals; outward by its noise."""
        low, high = super().enclosure(order, span)
        outside = ~(span.low > 0.0)
        return torch.where(outside, -torch.inf, low), torch.where(outside, torch.inf, high)

    def largest(self, order: int, span: Span) -> Tensor:
        """sup |phi_order| over the intervals; outward by its noise."""
        low, high = self.enclosure(order, span)
        return torch.maximum(-low, high)
