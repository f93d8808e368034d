"""relu: exact where its sign is settled, else a line with the kink's height as remainder.

One network, z in [lo, hi] with lo < 0 < hi and c = hi / (hi - lo): relu(z) = c z + h -+ h, h = -c lo / 2; so
P_y = c P + h, E_y = c E + e, |e| <= h. Difference: relu(z_f) - relu(z_g) = x (z_f - z_g) with x in [0, 1], and x = 1
(or 0) where both are of one sign: polynomial m D, F_y = m F + d, |d| <= w (|D| + |F|), x within m -+ w.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ._enclosure import UNIT, Slope, Step, Taylor, gamma
from ._function import ORDERS, Function

ROUNDINGS = gamma(8)


@final
class Relu(Function):
    """max(x, 0)."""

    turning = ((),) * ORDERS
    absolute = (0.0,) * ORDERS
    smooth = False

    def derivatives(self, x: Tensor, order: int = ORDERS - 1) -> tuple[Tensor, ...]:
        zero = torch.zeros_like(x)
        return (x.clamp(min=0.0), (x > 0.0).to(x.dtype), zero, zero, zero, zero)[: order + 1]

    def single(self, z: Taylor) -> Step:
        """relu(z) of one network."""
        low, high = _range([z])
        c = torch.where(low >= 0.0, 1.0, torch.where(high <= 0.0, 0.0, high / (high - low).clamp(min=1e-300)))
        h = torch.where((low < 0.0) & (high > 0.0), -0.5 * c * low, torch.zeros_like(c))
        poly = z.poly * c[:, None]
        poly[:, 0] += h
        made = h * (1.0 + 8.0 * UNIT) + ROUNDINGS * (c * (z.size + z.rest) + h)
        return Step(Taylor(poly, c * z.rest + made), made, (Slope(c, torch.zeros_like(c)),))

    def difference(self, g: Taylor, D: Taylor) -> tuple[Step, Step]:
        """(relu(z_g), relu(z_f) - relu(z_g))."""
        low, high = _range([g])
        more = D.size + D.rest
        low, high = low - more * (1.0 + 4.0 * UNIT), high + more * (1.0 + 4.0 * UNIT)
        m = torch.where(low >= 0.0, 1.0, torch.where(high <= 0.0, 0.0, torch.full_like(low, 0.5)))
        w = torch.where((low < 0.0) & (high > 0.0), 0.5, torch.zeros_like(m))
        made = w * D.size + ROUNDINGS * m * more
        none = Slope(torch.zeros_like(m), torch.zeros_like(m))
        step = Step(Taylor(D.poly * m[:, None], (m + w) * D.rest + made), made, (Slope(m, w),), (none,))
        return self.single(g), step


def _range(parts: list[Taylor]) -> tuple[Tensor, Tensor]:
    """Outward bounds of P + E."""
    centre = torch.stack([z.poly[:, 0] for z in parts]).sum(dim=0)
    half = torch.stack([z.reach + z.rest for z in parts]).sum(dim=0)
    slack = 4.0 * UNIT * (centre.abs() + half)
    return centre - half - slack, centre + half + slack


def rule(_exponent: int) -> Function:
    """The rule."""
    return Relu()
