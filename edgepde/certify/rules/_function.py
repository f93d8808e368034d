"""What a pointwise function must tell: its derivatives, where each is stationary, and how far float64 misses them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, final

import torch
from torch import Tensor

from ._enclosure import UNIT

ORDERS = 6


@dataclass(frozen=True)
class Span:
    """Intervals [low, high] and what a function's derivatives are at their ends."""

    low: Tensor
    high: Tensor
    at_low: tuple[Tensor, ...]
    at_high: tuple[Tensor, ...]

    @cached_property
    def magnitudes(self) -> tuple[Tensor, Tensor]:
        """The interval of |x|."""
        inner = torch.maximum(self.low, -self.high).clamp(min=0.0)
        return inner, torch.maximum(-self.low, self.high)


class Function(ABC):
    """phi with derivatives phi_0 = phi, phi_1 .. phi_5.

    turning[k]: every point where phi_k is stationary; between them and beyond them it is monotone.
    The computed phi_k(x) misses the true one by at most (absolute[k] + relative |phi_k(x)|) u, u = 2^-53, where the
    library's elementary functions err by at most 4 units in the last place. bound: sup |phi|. mirrored: from this order
    on |phi_k| is even. smooth: whether Taylor's theorem applies. attained: whether |phi| may be bound at a number.
    """

    turning: ClassVar[tuple[tuple[float, ...], ...]]
    absolute: ClassVar[tuple[float, ...]]
    relative: float = 0.0
    bound: float = float("inf")
    mirrored: int = ORDERS
    smooth: bool = True
    attained: bool = True

    def value(self, x: Tensor) -> Tensor:
        """phi(x), differentiable by torch."""
        return self.derivatives(x, 0)[0]

    @abstractmethod
    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        """phi_0 .. phi_order at x."""

    @final
    def span(self, low: Tensor, high: Tensor, order: int = ORDERS - 1) -> Span:
        """Intervals with the derivatives at their ends."""
        return Span(low, high, self.derivatives(low, order), self.derivatives(high, order))

    @final
    def noise(self, order: int, value: Tensor) -> Tensor:
        """A bound on |computed - true| of phi_order, given the computed value."""
        return self.absolute[order] * UNIT + (self.relative * UNIT) * value.abs()

    def enclosure(self, order: int, span: Span) -> tuple[Tensor, Tensor]:
        """(low, high) of phi_order over the intervals; outward by its noise."""
        ends = span.at_low[order], span.at_high[order]
        low, high = torch.minimum(*ends), torch.maximum(*ends)
        for at, peak in zip(self.turning[order], self._peaks()[order], strict=True):
            inside = (span.low < at) & (span.high > at)
            low = torch.where(inside, low.clamp(max=peak), low)
            high = torch.where(inside, high.clamp(min=peak), high)
        return low - self.noise(order, low), high + self.noise(order, high)

    def largest(self, order: int, span: Span) -> Tensor:
        """sup |phi_order| over the intervals; outward by its noise."""
        most = torch.maximum(span.at_low[order].abs(), span.at_high[order].abs())
        low, high = span.magnitudes if order >= self.mirrored else (span.low, span.high)
        for at, peak in zip(self.turning[order], self._peaks()[order], strict=True):
            if at >= 0.0 or order < self.mirrored:
                most = torch.where((low <= at) & (high >= at), most.clamp(min=abs(peak)), most)
        return most + self.noise(order, most)

    def _peaks(self) -> tuple[tuple[float, ...], ...]:
        """phi_k at its turning points."""
        cached: tuple[tuple[float, ...], ...] | None = self.__dict__.get("_found")
        if cached is None:
            cached = tuple(
                tuple(float(self.derivatives(torch.tensor(t, dtype=torch.float64))[k]) for t in points)
                for k, points in enumerate(self.turning)
            )
            self.__dict__["_found"] = cached
        return cached
