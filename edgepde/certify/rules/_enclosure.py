"""Second-order Taylor models and what a rule makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .. import polynomial

UNIT = 2.0**-53


@dataclass(frozen=True)
class Taylor:
    """value(x) = P(s) + E, |E| <= rest for all s in [-1, 1]^d; poly [B, M, n], rest [B, n]."""

    poly: Tensor
    rest: Tensor

    @cached_property
    def sizes(self) -> tuple[Tensor, Tensor]:
        """(L, Q): sums of |linear| and |quadratic| coefficients [B, n]."""
        return polynomial.sizes(self.poly)

    @property
    def reach(self) -> Tensor:
        """U >= |P(s) - P(0)| [B, n]."""
        return self.sizes[0] + self.sizes[1]

    @property
    def size(self) -> Tensor:
        """The sum of all |coefficients| [B, n] >= |P(s)|."""
        return self.poly[:, 0].abs() + self.reach

    def capped(self, bound: float) -> Taylor:
        """The same model with its remainder no larger than what |value| <= bound allows."""
        return self if bound == float("inf") else Taylor(self.poly, torch.fmin(self.rest, bound + self.size))


@dataclass(frozen=True)
class Step:
    """A vector y made from sources: E_y = sum over sources of slope E_source + e, |e| <= made.

    slopes: one per source, elementwise [B, n], or None where the rule's kind pulls adjoints back itself; crossing: in a
    difference the slopes towards the remainders of the sources' g side.
    """

    out: Taylor
    made: Tensor
    slopes: tuple[Tensor, ...] = ()
    crossing: tuple[Tensor, ...] = ()


def gamma(n: int) -> float:
    """n u / (1 - n u), outward."""
    return n * UNIT / (1.0 - n * UNIT) * (1.0 + 4.0 * UNIT)


def middle(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """(m, w) with [low, high] within m -+ w."""
    m = 0.5 * (low + high)
    return m, torch.maximum(high - m, m - low) * (1.0 + 8.0 * UNIT) + 1e-300


def product(left: tuple[Tensor, Tensor], right: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """(low, high) of the product of two intervals; rounding is left to the caller."""
    four = torch.stack([left[i] * right[j] for i in (0, 1) for j in (0, 1)])
    return four.amin(dim=0), four.amax(dim=0)
