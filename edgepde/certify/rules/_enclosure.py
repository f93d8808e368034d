"""Second-order Taylor models and what a rule makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .. import polynomial

UNIT = 2.0**-53
OUT = 1.0 + 512.0 * UNIT


@dataclass(frozen=True)
class Taylor:
    """value(x) = P(s) + E, |E| <= rest for all s in [-1, 1]^d; poly [B, M, n], rest [B, n]."""

    poly: Tensor
    rest: Tensor

    @cached_property
    def sizes(self) -> tuple[Tensor, Tensor]:
        """(L, Q): sums of |linear| and |quadratic| coefficients [B, n]."""
        return polynomial.sizes(self.poly)

    @cached_property
    def reach(self) -> Tensor:
        """U >= |P(s) - P(0)| [B, n]."""
        return self.sizes[0] + self.sizes[1]

    @cached_property
    def size(self) -> Tensor:
        """The sum of all |coefficients| [B, n] >= |P(s)|."""
        return self.poly[:, 0].abs() + self.reach

    @property
    def linear(self) -> Tensor:
        """The linear part [B, d, n]."""
        return self.poly[:, 1 : 1 + polynomial.dimension(self.poly)]

    @property
    def quadratic(self) -> Tensor:
        """The quadratic part [B, P, n]."""
        return self.poly[:, 1 + polynomial.dimension(self.poly) :]

    def capped(self, bound: float) -> Taylor:
        """The same model with its remainder no larger than what |value| <= bound allows."""
        return self if bound == float("inf") else Taylor(self.poly, torch.fmin(self.rest, (bound + self.size) * OUT))


@dataclass(frozen=True)
class Slope:
    """How a remainder passes: by mean + tilt . s -+ spread; mean, spread, size [B, n], tilt [B, d, n] or None.

    size >= the sum of |tilt| over d.
    """

    mean: Tensor
    spread: Tensor
    tilt: Tensor | None = None
    size: Tensor | None = None

    def most(self) -> Tensor:
        """>= |slope|."""
        flat = self.mean.abs() + self.spread
        return flat if self.size is None else flat + self.size * OUT


@dataclass(frozen=True)
class Step:
    """A vector y made from sources: E_y = sum over sources of slope E_source + c(s) + e, |e| <= made.

    slopes: one per source, or none where the rule's kind pulls adjoints back itself; crossing: in a difference the
    slopes towards the remainders of the sources' g side. c(s) = sum over `cubic` of (linear form) (quadratic form), the
    forms [B, d, n] and [B, P, n]; |c(s)| <= cubic_size [B, n].
    """

    out: Taylor
    made: Tensor
    slopes: tuple[Slope, ...] = ()
    crossing: tuple[Slope, ...] = ()
    cubic: tuple[tuple[Tensor, Tensor], ...] = ()
    cubic_size: Tensor | None = None


def gamma(n: int) -> float:
    """n u / (1 - n u), outward."""
    return n * UNIT / (1.0 - n * UNIT) * (1.0 + 4.0 * UNIT)


def middle(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """(m, w) with [low, high] within m -+ w."""
    m = 0.5 * (low + high)
    return m, torch.maximum(high - m, m - low) * (1.0 + 8.0 * UNIT) + 1e-300
