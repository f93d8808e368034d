"""Functions with a slope that are smooth on either side of 0 but not across it.

Over an interval J that holds 0 inside, with phi' within m -+ w on J, a the centre of P = a + u, |u| <= U:

    phi(z) = phi(a) + m u + m E + e,   |e| <= w (U + |E|)

and differences take the mean value form of _smooth.py, which the infinite phi_4 over such intervals selects.
"""

from __future__ import annotations

import torch
from torch import Tensor

from . import _smooth
from ._enclosure import OUT, Slope, Step, Taylor, middle
from ._function import Function, Span


class Pieced(Function):
    """phi is continuous, phi_0 and phi_1 are monotone; phi_k for k >= 2 may jump at 0."""

    def enclosure(self, order: int, span: Span) -> tuple[Tensor, Tensor]:
        """(low, high) of phi_order over the intervals; infinite across 0 from the second derivative on."""
        low, high = super().enclosure(order, span)
        across = (span.low < 0.0) & (span.high > 0.0) & (order >= 2)
        return low.masked_fill(across, -torch.inf), high.masked_fill(across, torch.inf)

    def largest(self, order: int, span: Span) -> Tensor:
        """sup |phi_order| over the intervals; infinite across 0 from the second derivative on."""
        low, high = self.enclosure(order, span)
        return torch.maximum(-low, high)

    def single(self, z: Taylor) -> Step:
        """phi(z) of one network."""
        reach = z.reach + z.rest
        span = self.span(*_smooth.hull([(z.poly[:, 0], reach)]))
        v = self.derivatives(z.poly[:, 0], 3)
        smooth = _smooth.alone(self, z, span, v, self.largest(4, span))
        return self.straightened(z, span, v[0], smooth)

    def difference(self, g: Taylor, change: Taylor) -> tuple[Step, Step]:
        """(phi(z_g), phi(z_f) - phi(z_g))."""
        of_g, of_d = _smooth.difference(self, g, change)
        del of_g
        return self.single(g), of_d

    def straightened(self, z: Taylor, span: Span, at: Tensor, smooth: Step) -> Step:
        """The step with the mean value form across 0."""
        across = (span.low < 0.0) & (span.high > 0.0)
        if not bool(across.any()):
            return smooth
        m, w = middle(*self.enclosure(1, span))
        poly = z.poly * m[:, None]
        poly[:, 0] = at
        made = (w * z.reach + self.noise(0, at) + _smooth.FEW * m.abs() * z.size) * OUT
        made = (made + _smooth.SLOPE_ROUNDINGS * (m.abs() + w) * z.rest) * OUT
        line = Step(Taylor(poly, ((m.abs() + w) * z.rest + made) * OUT), made, (Slope(m, w),))
        return _chosen(across, line, smooth)


def _chosen(take: Tensor, line: Step, smooth: Step) -> Step:
    """The one step where `take`, else the other."""
    s, t = smooth.slopes[0], line.slopes[0]
    assert s.tilt is not None
    assert s.size is not None
    assert smooth.cubic_size is not None
    slope = Slope(
        torch.where(take, t.mean, s.mean),
        torch.where(take, t.spread, s.spread),
        s.tilt.masked_fill(take[:, None], 0.0),
        s.size.masked_fill(take, 0.0),
    )
    poly = torch.where(take[:, None], line.out.poly, smooth.out.poly)
    out = Taylor(poly, torch.where(take, line.out.rest, smooth.out.rest))
    cubic = tuple((a, q.masked_fill(take[:, None], 0.0)) for a, q in smooth.cubic)
    size = smooth.cubic_size.masked_fill(take, 0.0)
    return Step(out, torch.where(take, line.made, smooth.made), (slope,), (), cubic, size)
