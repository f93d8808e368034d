"""Taylor models through the elementwise product of two vectors.

One network, x = P + E and y = S + F with P = a + l + q, S = b + k + p; |l| <= L, |q| <= Q, |k| <= K, |p| <= R:

    x y = [a b + a (k + p) + b (l + q) + l k]  +  e1 + P F + S E + E F,   |e1| <= L R + Q K + Q R

P within m1 -+ w1 and S within m2 -+ w2, so E_xy = m2 E + m1 F + e, |e| <= |e1| + w2 |E| + w1 |F| + |E| |F|.

Difference, with D = x_f - x_g and G = y_f - y_g: x_f y_f - x_g y_g = x_g G + D y_g + D G, three products as above whose
slopes add up: (m1 + mD) towards the remainder of G, (m2 + mG) towards that of D, mG and mD towards those of x_g and y_g.
"""

from __future__ import annotations

from torch import Tensor

from .. import polynomial
from ._enclosure import Step, Taylor, gamma, middle

ROUNDINGS = gamma(16)


def single(x: Taylor, y: Taylor) -> Step:
    """x y."""
    (m1, w1), (m2, w2) = _range(x), _range(y)
    poly, cut = _multiplied(x, y)
    carried = m2.abs() * x.rest + m1.abs() * y.rest
    made = cut + w2 * x.rest + w1 * y.rest + x.rest * y.rest + ROUNDINGS * (x.size * y.size + carried)
    return Step(Taylor(poly, carried + made), made, (m2, m1))


def difference(x: tuple[Taylor, Taylor], y: tuple[Taylor, Taylor]) -> tuple[Step, Step]:
    """(x_g y_g, x_f y_f - x_g y_g) for x = (x_g, x_f - x_g) and y likewise."""
    (xg, D), (yg, G) = x, y
    (m1, w1), (m2, w2), (mD, wD), (mG, wG) = _range(xg), _range(yg), _range(D), _range(G)
    parts = [_multiplied(xg, G), _multiplied(D, yg), _multiplied(D, G)]
    poly = parts[0][0] + parts[1][0] + parts[2][0]
    cut = parts[0][1] + parts[1][1] + parts[2][1]
    towards_G, towards_D = m1 + mD, m2 + mG
    carried = towards_G.abs() * G.rest + towards_D.abs() * D.rest + mG.abs() * xg.rest + mD.abs() * yg.rest
    spread = (w1 + wD) * G.rest + (w2 + wG) * D.rest + wG * xg.rest + wD * yg.rest
    both = xg.rest * G.rest + D.rest * yg.rest + D.rest * G.rest
    size = xg.size * G.size + D.size * yg.size + D.size * G.size
    slack = ROUNDINGS * (size + carried + (m1.abs() + mD.abs()) * G.rest + (m2.abs() + mG.abs()) * D.rest)
    made = cut + spread + both + slack
    step = Step(Taylor(poly, carried + made), made, (towards_D, towards_G), (mG, mD))
    return single(xg, yg), step


def _range(x: Taylor) -> tuple[Tensor, Tensor]:
    return middle(x.poly[:, 0] - x.reach, x.poly[:, 0] + x.reach)


def _multiplied(x: Taylor, y: Taylor) -> tuple[Tensor, Tensor]:
    """The quadratic part of the product, and a bound on what is cut off."""
    d = polynomial.dimension(x.poly)
    a, b = x.poly[:, :1], y.poly[:, :1]
    poly = a * y.poly + b * x.poly
    poly[:, 0] = (a * b)[:, 0]
    poly[:, 1 + d :] += polynomial.outer(x.poly[:, 1 : 1 + d], y.poly[:, 1 : 1 + d])
    (L, Q), (K, R) = x.sizes, y.sizes
    return poly, L * R + Q * K + Q * R
