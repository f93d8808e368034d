"""What a pointwise function must tell: its derivatives, where each is stationary, and how far float64 misses them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, final

import torch
from torch import Tensor

UNIT = 2.0**-53
ORDERS = 5


class Function(ABC):
    """phi with derivatives phi_0 = phi, phi_1 .. phi_4.

    turning[k]: every point where phi_k is stationary; between them and beyond them it is monotone.
    The computed phi_k(x) misses the true one by at most (absolute[k] + relative |phi_k(x)|) u, u = 2^-53, where the
    library's elementary functions err by at most 4 units in the last place. bound: sup |phi|.
    """

    turning: ClassVar[tuple[tuple[float, ...], ...]]
    absolute: ClassVar[tuple[float, ...]]
    relative: float = 0.0
    bound: float = float("inf")
    smooth: bool = True

    def value(self, x: Tensor) -> Tensor:
        """phi(x), differentiable by torch."""
        return self.derivatives(x, 0)[0]

    @abstractmethod
    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        """phi_0 .. phi_order at x."""

    @final
    def noise(self, order: int, value: Tensor) -> Tensor:
        """A bound on |computed - true| of phi_order, given the computed value."""
        return self.absolute[order] * UNIT + (self.relative * UNIT) * value.abs()

    def enclosure(self, order: int, ends: tuple[Tensor, Tensor], values: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """(low, high) of phi_order over the interval between `ends`, where it has `values`; outward by its noise."""
        low, high = torch.minimum(*values), torch.maximum(*values)
        for at, peak in zip(self.turning[order], self._peaks()[order], strict=True):
            inside = (ends[0] < at) & (ends[1] > at)
            low = torch.where(inside, low.clamp(max=peak), low)
            high = torch.where(inside, high.clamp(min=peak), high)
        return self._outward(order, low, high)

    def _outward(self, order: int, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        return low - self.noise(order, low), high + self.noise(order, high)

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
