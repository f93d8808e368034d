"""Where a bound holds: a box of inputs, or a family of them, as boxes of coordinates that can be split.

Coordinates c in [low, high] [n] are the inputs themselves or a family's coefficients. Some of them, `kept`, become the
variables s of the polynomials (propagate.py); with the others, and with a family's radius, the input has a remainder:

    x = mean + sum_j c_j modes_j + e,   |e_i| <= radius_i + sum over others r_j |modes_ji|
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import torch
from edgepde_runtime.box import Box
from torch import Tensor

from . import propagate
from .family import Family
from .propagate import Enclosure
from .rules._enclosure import Taylor, gamma

INDEPENDENT, MOST_KEPT, COEFFICIENTS = 6, 24, 1 << 15
PROBES = 48


@dataclass(frozen=True, eq=False)
@final
class Domain:
    """low, high [n]; mean, radius [d] and modes [n, d] of a family, else None; kept: places of c, None for all."""

    low: Tensor
    high: Tensor
    mean: Tensor | None = None
    modes: Tensor | None = None
    radius: Tensor | None = None
    kept: Tensor | None = None

    @staticmethod
    def of(where: Box | Family, device: torch.device | str = "cpu") -> Domain:
        """The domain on a device."""
        if isinstance(where, Family):
            mean, modes, low, high, radius = (
                torch.tensor(v, dtype=torch.float64, device=device) for v in where.arrays()
            )
            return Domain(low, high, mean, modes, radius)
        low, high = (torch.tensor(side, dtype=torch.float64, device=device) for side in (where.low, where.high))
        return Domain(low, high)

    @property
    def variables(self) -> int:
        """How many variables the polynomials have."""
        return len(self.low) if self.kept is None else len(self.kept)

    def for_networks(self, width: int, weight: Tensor) -> Domain:
        """The same domain with as many variables as fit, those of the largest weight [n] first."""
        n, most = len(self.low), MOST_KEPT
        while most > 1 and (most + 1) * (most + 2) // 2 * width > COEFFICIENTS:
            most -= 1
        if n <= INDEPENDENT or n <= most:
            return self
        return replace(self, kept=weight.topk(max(1, min(most, n))).indices.sort().values)

    def begin(self, low: Tensor, high: Tensor) -> Taylor:
        """The inputs of boxes [B, n] of coordinates."""
        if self.kept is None and self.modes is None:
            return propagate.start(low, high)
        c, r = propagate.cube(low, high)
        kept = torch.arange(c.shape[1], device=c.device) if self.kept is None else self.kept
        left = r.index_fill(1, kept, 0.0)
        k = len(kept)
        if self.mean is None or self.modes is None or self.radius is None:
            poly = c.new_zeros(len(c), (k + 1) * (k + 2) // 2, c.shape[1])
            poly[:, 0] = c
            poly[:, torch.arange(1, k + 1, device=c.device), kept] = r[:, kept]
            return Taylor(poly, left)
        poly = c.new_zeros(len(c), (k + 1) * (k + 2) // 2, len(self.mean))
        poly[:, 0] = self.mean + c @ self.modes
        poly[:, 1 : 1 + k] = r[:, kept, None] * self.modes[kept]
        size = self.mean.abs() + (c.abs() + r) @ self.modes.abs()
        rest = self.radius + left @ self.modes.abs() + gamma(c.shape[1] + 8) * size
        return Taylor(poly, rest * (1.0 + gamma(c.shape[1] + 8)))

    def strained(self, made: Enclosure, low: Tensor, high: Tensor) -> Enclosure:
        """An enclosure with its strain [B, n] by coordinate."""
        if self.kept is None or made.pulled is None:
            return made
        pulled = made.pulled if self.modes is None else made.pulled @ self.modes.abs().T
        strain = pulled * 0.5 * (high - low)
        strain[:, self.kept] = made.strain
        return replace(made, strain=strain)

    def search(self) -> tuple[Tensor, Tensor]:
        """(low, high) of what an adversary moves: the coordinates, then e where there is a radius."""
        if self.radius is None or not bool(self.radius.any()):
            return self.low, self.high
        return torch.cat([self.low, -self.radius]), torch.cat([self.high, self.radius])

    def inputs(self, moved: Tensor) -> Tensor:
        """The inputs [N, d] at what an adversary moved [N, n] or [N, n + d]."""
        n = len(self.low)
        if self.mean is None or self.modes is None:
            return moved
        made = self.mean + moved[:, :n] @ self.modes
        return made + moved[:, n:] if moved.shape[1] > n else made


def constant(x: Tensor, _: Tensor) -> Taylor:
    """Single inputs [B, d] as models of one variable that do not depend on it."""
    poly = torch.zeros(len(x), 3, x.shape[1], dtype=x.dtype, device=x.device)
    poly[:, 0] = x
    return Taylor(poly, torch.zeros_like(x))


def influence(function: Callable[[Tensor], Tensor], domain: Domain, seed: int) -> Tensor:
    """How much each coordinate of the domain moves the function, [n], from slopes at a few points; no bound."""
    draw = torch.Generator().manual_seed(seed)
    n = len(domain.low)
    share = torch.rand(PROBES, n, generator=draw, dtype=torch.float64).to(domain.low.device)
    with torch.enable_grad():
        c = (domain.low + share * (domain.high - domain.low)).requires_grad_(True)
        values = function(domain.inputs(c))
        sign = (torch.rand(values.shape, generator=draw, dtype=torch.float64).to(c.device) < 0.5).to(values.dtype)
        (slope,) = torch.autograd.grad(((2.0 * sign - 1.0) * values).sum(), c)
    return torch.nan_to_num(slope.abs().mean(dim=0)) * (domain.high - domain.low)
