"""Taylor models through the elementwise product of two vectors.

One network, x = P + E and y = S + F with P = a + l + q, S = b + k + p; |l| <= L, |q| <= Q, |k| <= K, |p| <= R:

    x y = a b + a (k + p) + b (l + q) + l k  +  c  +  e1 + P F + S E + E F,   c = l p + k q,  |e1| <= Q R

P = a + l + q is the slope towards F, S that towards E, and |e| <= |e1| + |E| |F|.

Difference, with D = x_f - x_g and G = y_f - y_g: x_f y_f - x_g y_g = x_g G + D y_g + D G, three products as above whose
slopes add up: P + P_D towards the remainder of G, S + P_G towards that of D, P_G and P_D towards those of x_g and y_g.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .. import polynomial
from ._enclosure import OUT, Slope, Step, Taylor, gamma

ROUNDINGS = gamma(32)
Cubic = tuple[tuple[Tensor, Tensor], ...]


def single(x: Taylor, y: Taylor) -> Step:
    """x y."""
    slopes = (_slope([y]), _slope([x]))
    poly, cut, cubic, cubic_size = _multiplied(x, y)
    carried = slopes[0].most() * x.rest + slopes[1].most() * y.rest
    made = (cut + x.rest * y.rest + ROUNDINGS * (x.size * y.size + carried)) * OUT
    return Step(Taylor(poly, (carried + made + cubic_size) * OUT), made, slopes, (), cubic, cubic_size)


def difference(x: tuple[Taylor, Taylor], y: tuple[Taylor, Taylor]) -> tuple[Step, Step]:
    """(x_g y_g, x_f y_f - x_g y_g) for x = (x_g, x_f - x_g) and y likewise."""
    (xg, D), (yg, G) = x, y
    parts = [_multiplied(xg, G), _multiplied(D, yg), _multiplied(D, G)]
    poly = parts[0][0] + parts[1][0] + parts[2][0]
    cut, cubic_size = (torch.stack(list(rows)).sum(dim=0) for rows in zip(*((p[1], p[3]) for p in parts), strict=True))
    cubic = tuple(pair for p in parts for pair in p[2])
    slopes, crossing = (_slope([yg, G]), _slope([xg, D])), (_slope([G]), _slope([D]))
    carried = slopes[0].most() * D.rest + slopes[1].most() * G.rest
    carried = carried + crossing[0].most() * xg.rest + crossing[1].most() * yg.rest
    both = xg.rest * G.rest + D.rest * yg.rest + D.rest * G.rest
    size = xg.size * G.size + D.size * yg.size + D.size * G.size
    made = (cut + both + ROUNDINGS * (size + carried)) * OUT
    step = Step(Taylor(poly, (carried + made + cubic_size) * OUT), made, slopes, crossing, cubic, cubic_size)
    return single(xg, yg), step


def _slope(parts: list[Taylor]) -> Slope:
    """The sum of polynomials as a slope."""
    mean, spread, tilt, size = (
        torch.stack(rows).sum(dim=0)
        for rows in zip(*((h.poly[:, 0], h.sizes[1], h.linear, h.sizes[0]) for h in parts), strict=True)
    )
    return Slope(mean, spread * OUT, tilt, size * OUT)


def _multiplied(x: Taylor, y: Taylor) -> tuple[Tensor, Tensor, Cubic, Tensor]:
    """The quadratic part of the product, a bound on the quartic one, the cubic one and its size."""
    a, b = x.poly[:, :1], y.poly[:, :1]
    poly = a * y.poly + b * x.poly
    poly[:, 0] = (a * b)[:, 0]
    poly[:, 1 + x.linear.shape[1] :] += polynomial.outer(x.linear, y.linear)
    (L, Q), (K, R) = x.sizes, y.sizes
    return poly, Q * R, ((x.linear, y.quadratic), (y.linear, x.quadratic)), (L * R + K * Q) * OUT
