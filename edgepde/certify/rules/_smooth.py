"""Taylor models through a smooth pointwise function phi, alone and as the difference of two networks.

One network. z = P + E with P(s) = a + u, u = l + q (linear and quadratic part), |l| <= L, |q| <= Q, U = L + Q, |E| <= r,
and J an interval with P(s), z in J. Taylor's theorem at a with Lagrange's remainder, then the mean value theorem:

    phi(P) = phi(a) + phi'(a) u + phi''(a) l^2 / 2  +  e1,   |e1| <= |phi''(a)| (2 L Q + Q^2) / 2 + M3 U^3 / 6
    phi(z) = phi(P) + phi'(x) E = phi(P) + m E  +  e2,       |e2| <= w r

x in J, M3 = sup_J |phi'''|, phi'(J) within m -+ w. Hence E_y = m E + e, |e| <= |e1| + |e2|. Where the range of phi over J
is narrower than that, P_y is its middle, m = 0 and |e| <= half of it.

Difference. z_g = P + E as above, z_f - z_g = D + F, D = b + v, v = k + p (linear and quadratic part), |k| <= K, |p| <= R,
V = K + R, |F| <= t; J holds P, P + D, z_g, P + D + E and z_f. With c_i = phi_i(a + b) - phi_i(a):

    phi(P + D) - phi(P) = c0 + c1 u + phi'(a+b) v + c2 l^2 / 2 + phi''(a+b) (l + k / 2) k  +  d1
    |d1| <= |c2| (2 L Q + Q^2) / 2 + |phi''(a+b)| (L R + Q K + Q R + K R + R^2 / 2)
            + (M4 (|b| + V) U^3 + M3 V (3 U^2 + 3 U V + V^2)) / 6

the last line because the two Lagrange remainders in integral form differ by the integral over h of (1-h)^2 / 2 times
phi'''(a+b+h(u+v)) (u+v)^3 - phi'''(a+h u) u^3, and the arguments by at most |b| + V. With z_f = (P + D + E) + F:

    phi(z_f) - phi(z_g) - (phi(P + D) - phi(P))
        = phi'(x) F + integral of phi'(P + D + h E) - phi'(P + h E) dh E = phi'(x) F + phi''(y) D E,   x, y in J
        = m F + n E  +  d2,   |d2| <= w t + o r,   phi''(J) [b - V, b + V] within n -+ o

Hence F_y = m F + n E + d, |d| <= |d1| + |d2|. Where it is narrower, the mean value phi(z_f) - phi(z_g) = phi'(x) (D + F)
replaces it: polynomial m D, F_y = m F + d, |d| <= w (|b| + V + t).

Roundoff: each computed coefficient misses the one above by noise (_function.py) or a few u of its terms; since |s_i| <= 1
the sum of those misses is one more part of e and of d.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .. import polynomial
from ._enclosure import UNIT, Step, Taylor, gamma, middle, product
from ._function import Function

SLOPE_ROUNDINGS = gamma(8)


def single(phi: Function, z: Taylor) -> Step:
    """phi(z) of one network."""
    a, (L, Q) = z.poly[:, 0], z.sizes
    U = L + Q
    ends = _interval([(a, U + z.rest)])
    at = (phi.derivatives(ends[0]), phi.derivatives(ends[1]))
    m, w = middle(*phi.enclosure(1, ends, (at[0][1], at[1][1])))
    v0, v1, v2 = phi.derivatives(a, 2)
    made = truncation(L, Q, v2, _largest(phi, 3, ends, at)) + single_noise(phi, (v0, v1, v2), U)
    carried = m.abs() * z.rest
    made = made + w * z.rest + SLOPE_ROUNDINGS * carried
    centre, half = middle(*phi.enclosure(0, ends, (at[0][0], at[1][0])))
    flat = ~(made < half)
    zero = torch.zeros_like(m)
    v0, v1, v2 = torch.where(flat, centre, v0), torch.where(flat, zero, v1), torch.where(flat, zero, v2)
    m, made, carried = torch.where(flat, zero, m), torch.where(flat, half, made), torch.where(flat, zero, carried)
    d = polynomial.dimension(z.poly)
    poly = z.poly * v1[:, None]
    poly[:, 0] = v0
    poly[:, 1 + d :].addcmul_(polynomial.square(z.poly[:, 1 : 1 + d]), 0.5 * v2[:, None])
    return Step(Taylor(poly, carried + made).capped(phi.bound), made, (m,))


def truncation(L: Tensor, Q: Tensor, v2: Tensor, m3: Tensor) -> Tensor:
    """|e1| of the docstring above."""
    U = L + Q
    return 0.5 * v2.abs() * (2.0 * L + Q) * Q + m3 * U * U * U / 6.0


def single_noise(phi: Function, v: tuple[Tensor, Tensor, Tensor], U: Tensor) -> Tensor:
    """What roundoff adds to e."""
    e0, e1, e2 = (phi.noise(k, v[k]) for k in range(3))
    return e0 + U * (e1 + 8.0 * UNIT * v[1].abs() + U * (e2 + 8.0 * UNIT * v[2].abs()))


def difference(phi: Function, g: Taylor, f_less_g: Taylor) -> tuple[Step, Step]:
    """(phi(z_g), phi(z_f) - phi(z_g))."""
    D = f_less_g
    a, b, (L, Q), (K, R) = g.poly[:, 0], D.poly[:, 0], g.sizes, D.sizes
    U, V = L + Q, K + R
    ends = _interval([(a, U + g.rest), (a + b, U + V + g.rest + D.rest)])
    at = (phi.derivatives(ends[0]), phi.derivatives(ends[1]))
    slope = phi.enclosure(1, ends, (at[0][1], at[1][1]))
    curve = phi.enclosure(2, ends, (at[0][2], at[1][2]))
    m, w = middle(*slope)
    n, o = middle(*product(curve, (b - V, b + V)))
    m3, m4 = _largest(phi, 3, ends, at), _largest(phi, 4, ends, at)
    vg, vf = phi.derivatives(a, 2), phi.derivatives(a + b, 2)
    moved = UNIT * (a + b).abs()
    sup = (_size(slope), _size(curve), m3)
    eg = [phi.noise(k, vg[k]) for k in range(3)]
    ef = [phi.noise(k, vf[k]) + moved * sup[k] for k in range(3)]
    c = [vf[k] - vg[k] for k in range(3)]
    cut = truncated(c[2], vf[2], (L, Q, K, R)) + (m4 * (b.abs() + V) * U * U * U + m3 * V * _cubes(U, V)) / 6.0
    noise = difference_noise(eg, ef, c, vf, U, V)
    carried = m.abs() * D.rest + n.abs() * g.rest
    made = cut + noise + w * D.rest + o * g.rest + SLOPE_ROUNDINGS * carried
    size = b.abs() + V
    straight = w * (size + D.rest) + 8.0 * UNIT * m.abs() * size + SLOPE_ROUNDINGS * m.abs() * D.rest
    plain = ~(made < straight)
    zero = torch.zeros_like(m)
    made = torch.where(plain, straight, made)
    n = torch.where(plain, zero, n)
    c0, c1, c2 = torch.where(plain, m * b, c[0]), torch.where(plain, zero, c[1]), torch.where(plain, zero, 0.5 * c[2])
    f1, f2 = torch.where(plain, m, vf[1]), torch.where(plain, zero, vf[2])
    d = polynomial.dimension(g.poly)
    l, k = g.poly[:, 1 : 1 + d], D.poly[:, 1 : 1 + d]
    poly = (D.poly * f1[:, None]).addcmul_(g.poly, c1[:, None])
    poly[:, 0] = c0
    poly[:, 1 + d :].addcmul_(polynomial.square(l), c2[:, None])
    poly[:, 1 + d :].addcmul_(polynomial.outer(torch.add(l, k, alpha=0.5), k), f2[:, None])
    equal = (size == 0.0) & (D.rest == 0.0)
    made = torch.where(equal, zero, made)
    n = torch.where(equal, zero, n)
    out = Taylor(poly.masked_fill_(equal[:, None], 0.0), m.abs() * D.rest + n.abs() * g.rest + made)
    return single(phi, g), Step(out.capped(2.0 * phi.bound), made, (m,), (n,))


def truncated(c2: Tensor, f2: Tensor, sizes: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    """The first line of |d1|."""
    L, Q, K, R = sizes
    return 0.5 * c2.abs() * (2.0 * L + Q) * Q + f2.abs() * (L * R + Q * (K + R) + (K + 0.5 * R) * R)


def difference_noise(
    eg: list[Tensor], ef: list[Tensor], c: list[Tensor], vf: tuple[Tensor, ...], U: Tensor, V: Tensor
) -> Tensor:
    """What roundoff adds to d."""
    tiny = 8.0 * UNIT
    constant = eg[0] + ef[0] + tiny * c[0].abs()
    linear = U * (eg[1] + ef[1] + tiny * c[1].abs()) + V * (ef[1] + tiny * vf[1].abs())
    curved = U * U * (eg[2] + ef[2] + tiny * c[2].abs()) + (U + V) * V * (ef[2] + tiny * vf[2].abs())
    return constant + linear + curved


def _cubes(U: Tensor, V: Tensor) -> Tensor:
    return 3.0 * U * (U + V) + V * V


def _interval(parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The hull of centre -+ radius, widened by roundoff."""
    low = [c - h - 4.0 * UNIT * (c.abs() + h) for c, h in parts]
    high = [c + h + 4.0 * UNIT * (c.abs() + h) for c, h in parts]
    if len(parts) == 1:
        return low[0], high[0]
    return torch.minimum(*low), torch.maximum(*high)


def _size(interval: tuple[Tensor, Tensor]) -> Tensor:
    return torch.maximum(-interval[0], interval[1])


def _largest(
    phi: Function, order: int, ends: tuple[Tensor, Tensor], at: tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
) -> Tensor:
    return _size(phi.enclosure(order, ends, (at[0][order], at[1][order])))
