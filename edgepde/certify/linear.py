"""Bounds on networks without nonlinear nodes, in closed form, for any number of inputs.

f - g = dW x + db with x = c + r s, |s_i| <= 1, and further dW e of a family's remainder |e| <= radius. The worst of
every output is attained where s = sign(dW_i) up to one sign:

    sup |f - g|_i = sum_j |dW_ij| r_j + |dW c + db|_i (+ sum_j |dW_ij| radius_j)

dW is computed in float64; what it may miss (collapse.py), and what the sums may, is added to `value` and taken off
`found`: between the two lies the true supremum.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from torch import Tensor

from edgepde.errors import CertificateFault

from . import network as nw
from .bound import Bound, Range
from .collapse import TINY, collapsed, linear
from .domain import Domain
from .family import Family
from .network import Network
from .propagate import cube
from .rules._enclosure import OUT, UNIT, gamma

WORST = 4

__all__ = ["bound_linear", "bound_sensitivity", "linear", "range_linear"]


@final
@dataclass(frozen=True, eq=False)
class Reach:
    """Inputs c + modes^T s + e [d], |s| <= spread, |e| <= radius; modes None: s is e's part of the box itself.

    size: sup |x|.
    """

    domain: Domain
    centre: Tensor
    half: Tensor
    size: Tensor

    @staticmethod
    def of(where: Box | Family, device: torch.device | str = "cpu") -> Reach:
        """The reach of a box or a family."""
        domain = Domain.of(where, device)
        c, r = cube(domain.low, domain.high)
        if domain.mean is None or domain.modes is None or domain.radius is None:
            return Reach(domain, c, r, torch.maximum(domain.low.abs(), domain.high.abs()))
        size = domain.mean.abs() + (c.abs() + r) @ domain.modes.abs() + domain.radius
        return Reach(domain, c, r, size * (1.0 + gamma(len(c) + 8)))

    def extremes(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(middle, reach, roundoff) [m]: sup and inf of weight x + bias are middle +- reach, each up to roundoff."""
        modes, mean = self.domain.modes, self.domain.mean
        size = weight.abs()
        roundoff = size @ self.size + bias.abs()
        if modes is None or mean is None or self.domain.radius is None:
            middle, reach = weight @ self.centre + bias, size @ self.half
        else:
            along = weight @ modes.T
            middle = weight @ mean + along @ self.centre + bias
            reach = along.abs() @ self.half + size @ self.domain.radius
        terms = 2 * weight.shape[1] + 2 * len(self.centre) + 32
        return middle, reach, gamma(terms) * 4.0 * roundoff + TINY

    def worst(self, rows: Tensor, up: Tensor) -> Tensor:
        """The inputs [k, d] where rows [k, d] times x are largest (up) or smallest."""
        modes, domain = self.domain.modes, self.domain
        signs = torch.where(up[:, None], rows, -rows)
        if modes is None or domain.radius is None:
            return torch.where(signs >= 0.0, domain.high, domain.low)
        moved = torch.where(signs @ modes.T >= 0.0, domain.high, domain.low)
        return domain.inputs(torch.cat([moved, torch.where(signs >= 0.0, domain.radius, -domain.radius)], dim=1))

    def largest(self) -> Tensor:
        """An input [d] where every |x_j| of a box is largest."""
        low, high = self.domain.low, self.domain.high
        return self.domain.inputs(torch.where(high.abs() >= low.abs(), high, low)[None])[0]


def bound_linear(
    f: Network,
    g: Network,
    where: Box | Family,
    *,
    target: float | Sequence[float] | None = None,
    device: torch.device | str = "cpu",
) -> Bound:
    """sup |f - g| per output of two linear networks; proved and exact up to float64's own rounding.

    points: where the worst outputs, `WORST` at most, have their worst. Raises InputError where f, g and `where` do not
    fit each other or a network has a nonlinear node.
    """
    began = time.monotonic()
    _check(f, g, where)
    with torch.no_grad():
        reach = Reach.of(where, device)
        first, second = (collapsed(net.to(device), reach.size) for net in (f, g))
        d = len(reach.size)
        change, shift = first.dense(d) - second.dense(d), first.bias - second.bias
        slack = first.slack + second.slack
        del first, second
        middle, wide, roundoff = reach.extremes(change, shift)
        allowance = (slack + roundoff) * OUT
        value = (middle.abs() + wide + allowance) * OUT
        found = ((middle.abs() + wide) * (1.0 - 8.0 * UNIT) - allowance).clamp(min=0.0)
        value = torch.nan_to_num(value, nan=torch.inf, posinf=torch.inf)
        found = found.nan_to_num(nan=0.0, posinf=0.0)
        worst = found.topk(min(WORST, len(found))).indices
        points = reach.worst(change[worst], middle[worst] >= 0.0)
    return _bound(reach, value, torch.fmin(found, value), points, target, began)


def range_linear(f: Network, where: Box | Family, *, device: torch.device | str = "cpu") -> Range:
    """low <= f <= high per output of a linear network."""
    _check(f, f, where)
    with torch.no_grad():
        reach = Reach.of(where, device)
        made = collapsed(f.to(device), reach.size)
        middle, wide, roundoff = reach.extremes(made.dense(len(reach.size)), made.bias)
        wide = wide + (made.slack + roundoff) * OUT
        low, high = middle - wide, middle + wide
        slack = 4.0 * UNIT * (middle.abs() + wide)
        low, high = (
            torch.where(torch.isfinite(slack), end, end.new_tensor(far))
            for end, far in ((low - slack, -torch.inf), (high + slack, torch.inf))
        )
    return Range(low.cpu().numpy(), high.cpu().numpy())


def bound_sensitivity(f: Network, where: Box | Family, absolute: Tensor, relative: Tensor) -> Bound:
    """sup |W delta| per output, |delta_j| <= absolute_j + relative_j |x_j|, of a linear network."""
    began = time.monotonic()
    with torch.no_grad():
        reach = Reach.of(where, absolute.device)
        most = absolute + relative * reach.size
        made = collapsed(f.to(absolute.device), reach.size + most)
        weight = made.dense(len(most))
        sums = weight.abs() @ most
        roundoff = (2.0 * gamma(len(most) + 32) * sums + 2.0 * made.slack + TINY) * OUT
        value = torch.nan_to_num((sums + roundoff) * OUT, nan=torch.inf, posinf=torch.inf)
        found = (sums - roundoff).clamp(min=0.0) if reach.domain.mean is None else torch.zeros_like(sums)
        found = found.nan_to_num(nan=0.0, posinf=0.0)
        points = reach.largest()[None]
    return _bound(reach, value, torch.fmin(found, value), points, None, began)


def _bound(
    reach: Reach, value: Tensor, found: Tensor, points: Tensor, target: float | Sequence[float] | None, began: float
) -> Bound:
    low, high, most, least, at = (t.cpu().numpy() for t in (reach.domain.low, reach.domain.high, value, found, points))
    if not (most >= least).all():
        raise CertificateFault("a closed form is below what was found: a fault of ours")
    proved = target is None or bool((most <= np.asarray(target)).all())
    seconds = time.monotonic() - began
    return Bound(most, least, at, proved, 1, seconds, "linear", low[None], high[None], most[None], True)


def _check(f: Network, g: Network, where: Box | Family) -> None:
    for name, net in (("f", f), ("g", g)):
        if net.dimension != where.dimension:
            raise InputError(f"{name}: expected {where.dimension} inputs as in the box, got {net.dimension}")
        if not linear(net):
            place = next(i for i, node in enumerate(net.nodes) if isinstance(node, nw.Pointwise | nw.Product))
            raise InputError(f"{name}: node {place} expected to be linear, got {type(net.nodes[place]).__name__}")
    if f.outputs != g.outputs:
        raise InputError(f"g: expected {f.outputs} outputs as in f, got {g.outputs}")
