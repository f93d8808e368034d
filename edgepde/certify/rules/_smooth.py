"""Taylor models through a smooth pointwise function phi, alone and as the difference of two networks.

One network. z = P + E with P(s) = a + u, u = l + q (linear and quadratic part), |l| <= L, |q| <= Q, U = L + Q,
|E| <= r, J an interval that holds P(s) and z, phi_k the k-th derivative at a, Mk = sup_J |phi_k|. By Taylor's theorem

    phi(P) = phi_0 + phi_1 u + phi_2 l^2 / 2  +  c  +  e1,      c = l (phi_3 l^2 / 6 + phi_2 q)
    |e1| <= |phi_2| Q^2 / 2 + |phi_3| Q (3 L^2 + 3 L Q + Q^2) / 6 + M4 U^4 / 24

and by the mean value theorem phi(z) - phi(P) = phi'(x) E, x between P and z, where with N3 = |phi_3| + M4 (U + r) >= M3

    phi'(x) = phi_1 + phi_2 l + t,   |t| <= |phi_2| (Q + r) + N3 (U + r)^2 / 2;    also phi'(x) within m -+ w = phi'(J)

whichever is narrower is used. Where the range of phi over J is narrower than all that, P_y is its middle, E_y = e
and |e| <= half of it.

Difference. z_g = P + E as above, z_f - z_g = D + F, D = b + v, v = k + p (linear and quadratic part), |k| <= K,
|p| <= R, V = K + R, |F| <= t; J holds P, P + D, z_g, P + D + E and z_f. With g_i = phi_i(a), f_i = phi_i(a + b) and
c_i = f_i - g_i:

    phi(P + D) - phi(P) = c_0 + c_1 u + f_1 v + c_2 l^2 / 2 + f_2 (l k + k^2 / 2)  +  c  +  d1
    c = l (c_3 l^2 / 6 + c_2 q + f_2 p) + k (f_3 (l^2 / 2 + l k / 2 + k^2 / 6) + f_2 (q + p))
    |d1| <= |c_2| Q^2 / 2 + |f_2| (Q R + R^2 / 2) + |c_3| (U^3 - L^3) / 6
            + |f_3| (3 (U^2 V - L^2 K) + 3 (U V^2 - L K^2) + V^3 - K^3) / 6
            + (M5 (|b| + V) U^4 + M4 ((U + V)^4 - U^4)) / 24

the last line because the Lagrange remainders in integral form differ by the integral over h of (1-h)^3 / 6 times
phi_4(a+b+h(u+v)) (u+v)^4 - phi_4(a+h u) u^4, and the arguments by at most |b| + V. With z_f = (P + D + E) + F:

    phi(z_f) - phi(z_g) - (phi(P + D) - phi(P)) = phi'(x) F + K E,   K = integral of phi'(P+D+hE) - phi'(P+hE) dh
    phi'(x) = f_1 + f_2 (l + k) + t1,   |t1| <= |f_2| (Q + R + r + t) + N3 (U + V + r + t)^2 / 2;  also m -+ w
    K = c_1 + c_2 l + f_2 k + t2,
    |t2| <= |c_2| Q + |f_2| R + (M4 (|b| + V) U^2 + N3 (2 U + V) V) / 2 + N3 (|b| + V) r

with N3 = |f_3| + M4 (|b| + 2 (U + V + r + t)). Where it is narrower, the mean value
phi(z_f) - phi(z_g) = phi'(x) (D + F) replaces it: polynomial m D, F_y = phi'(x) F + d, |d| <= w (|b| + V).

Roundoff: each computed coefficient misses the one above by noise (_function.py) or a few u of its terms; since
|s_i| <= 1 the sum of those misses is one more part of e and of d. The bounds themselves are sums and products of
numbers >= 0 that are bounds already; OUT covers the roundings of computing one more.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .. import polynomial
from ._enclosure import OUT, UNIT, Slope, Step, Taylor, gamma, middle
from ._function import Function, Span

SLOPE_ROUNDINGS = gamma(16)
FEW = 16.0 * UNIT


def single(phi: Function, z: Taylor) -> Step:
    """phi(z) of one network."""
    a = z.poly[:, 0]
    span = phi.span(*hull([(a, z.reach + z.rest)]))
    return alone(phi, z, span, phi.derivatives(a, 3), phi.largest(4, span))


def alone(phi: Function, z: Taylor, span: Span, v: tuple[Tensor, ...], m4: Tensor) -> Step:
    """phi(z), with the derivatives v at the centre, M4 and a span that holds J."""
    (L, Q), U, r = z.sizes, z.reach, z.rest
    n3 = v[3].abs() + phi.noise(3, v[3]) + m4 * (U + r)
    cut = cut_alone(L, Q, v, m4) + noise_alone(phi, v, U)
    cubic_size = L * (v[3].abs() * L * L / 6.0 + v[2].abs() * Q)
    steep = Slope(*middle(*phi.enclosure(1, span)))
    near = _tilted(v[2].abs(), Q + r, n3, U + r) + phi.noise(1, v[1]) + L * phi.noise(2, v[2])
    slope = _narrower(Slope(v[1], near), steep, v[2])
    centre, half = middle(*phi.enclosure(0, span))
    flat = ~(cut + cubic_size + slope.spread * r < half)
    v0 = torch.where(flat, centre, v[0])
    v1, v2, v3, mean, tilt, spread, cubic_size = (
        x.masked_fill(flat, 0.0) for x in (v[1], v[2], v[3], slope.mean, _given(slope.size), slope.spread, cubic_size)
    )
    made, cubic_size = torch.where(flat, half, cut) * OUT, cubic_size * OUT
    line, q = z.linear, z.quadratic
    square = polynomial.square(line)
    poly = torch.cat([v0[:, None], v1[:, None] * line, (v1[:, None] * q).addcmul_(square, 0.5 * v2[:, None])], dim=1)
    cubic = ((line, (square * (v3 / 6.0)[:, None]).addcmul_(q, v2[:, None])),)
    slope = Slope(mean, spread, line * tilt[:, None], tilt.abs() * L)
    made = (made + FEW * cubic_size + SLOPE_ROUNDINGS * slope.most() * r) * OUT
    out = Taylor(poly, (torch.fmin(steep.most(), slope.most()) * r + made + cubic_size) * OUT).capped(phi.bound)
    return Step(out, made, (slope,), (), cubic, cubic_size)


def cut_alone(L: Tensor, Q: Tensor, v: tuple[Tensor, ...], m4: Tensor) -> Tensor:
    """|e1| of the docstring above."""
    U = L + Q
    third = v[3].abs() * Q * (3.0 * L * U + Q * Q) / 6.0
    return 0.5 * v[2].abs() * Q * Q + third + m4 * (U * U) ** 2 / 24.0


def noise_alone(phi: Function, v: tuple[Tensor, ...], U: Tensor) -> Tensor:
    """What roundoff adds to e."""
    e = [phi.noise(k, v[k]) + (FEW * v[k].abs() if k else 0.0) for k in range(4)]
    return e[0] + U * (e[1] + U * (e[2] + U * e[3]))


def difference(phi: Function, g: Taylor, f_less_g: Taylor) -> tuple[Step, Step]:
    """(phi(z_g), phi(z_f) - phi(z_g))."""
    D = f_less_g
    a, b = g.poly[:, 0], D.poly[:, 0]
    U, V, r, t = g.reach, D.reach, g.rest, D.rest
    span = phi.span(*hull([(a, U + r), (a + b, U + V + r + t)]))
    m4, m5 = phi.largest(4, span), phi.largest(5, span)
    vg, vf = phi.derivatives(a, 3), phi.derivatives(a + b, 3)
    size = b.abs() + V
    far = size + b.abs() + 2.0 * (U + V + r + t) + UNIT * (a + b).abs()
    n3 = vf[3].abs() + phi.noise(3, vf[3]) + m4 * far
    steep = Slope(*middle(*phi.enclosure(1, span)))
    eg, ef, c = _misses(phi, vg, vf, (a + b).abs(), steep.most(), n3, m4)
    cut = (cut_difference(g.sizes, D.sizes, c, vf, m4, m5, size) + noise_difference(eg, ef, c, vf, U, V)) * OUT
    cubic_size = _cubic_size(g.sizes, D.sizes, c, vf) * OUT
    near = _tilted(vf[2].abs(), g.sizes[1] + D.sizes[1] + r + t, n3, U + V + r + t)
    slope = _narrower(Slope(vf[1], near + ef[1] + (U + V) * ef[2]), steep, vf[2])
    across = c[2].abs() * g.sizes[1] + vf[2].abs() * D.sizes[1] + 0.5 * (m4 * size * U * U + n3 * (2.0 * U + V) * V)
    across = (across + n3 * size * r + eg[1] + ef[1] + U * (eg[2] + ef[2]) + V * ef[2]) * OUT
    made = cut + FEW * cubic_size
    straight = (steep.spread * size + FEW * steep.mean.abs() * size) * OUT
    plain = ~(made + cubic_size + slope.spread * t + across * r < straight + steep.spread * t)
    chosen = _Chosen.of(plain, steep, slope, c, vf, b)
    equal = (size == 0.0) & (t == 0.0)
    made = torch.where(plain, straight, made).masked_fill(equal, 0.0)
    cubic_size, across = cubic_size.masked_fill(plain | equal, 0.0), across.masked_fill(plain | equal, 0.0)
    step = chosen.step(g, D, made, cubic_size, across, equal)
    step = Step(step.out.capped(2.0 * phi.bound), step.made, step.slopes, step.crossing, step.cubic, step.cubic_size)
    return alone(phi, g, span, vg, m4), step


class _Chosen:
    """The coefficients of a difference, those of the mean value where `plain`."""

    def __init__(self, slope: Slope, tilt: Tensor, c: list[Tensor], f: list[Tensor]) -> None:
        self.slope, self.tilt, self.c, self.f = slope, tilt, c, f

    @staticmethod
    def of(plain: Tensor, steep: Slope, slope: Slope, c: list[Tensor], f: tuple[Tensor, ...], b: Tensor) -> _Chosen:
        mean = torch.where(plain, steep.mean, slope.mean)
        spread = torch.where(plain, steep.spread, slope.spread)
        tilt = _given(slope.size).masked_fill(plain, 0.0)
        moved = [torch.where(plain, steep.mean * b, c[0]), *(x.masked_fill(plain, 0.0) for x in c[1:])]
        at_f = [f[0], torch.where(plain, steep.mean, f[1]), *(x.masked_fill(plain, 0.0) for x in f[2:])]
        return _Chosen(Slope(mean, spread), tilt, moved, at_f)

    def step(self, g: Taylor, D: Taylor, made: Tensor, cubic_size: Tensor, across: Tensor, equal: Tensor) -> Step:
        """The model and what becomes of remainders; nothing where f and g are `equal` here."""
        c, f = ([x[:, None] for x in row] for row in (self.c, self.f))
        line, q, k, p = g.linear, g.quadratic, D.linear, D.quadratic
        ll, lk, kk = polynomial.square(line), polynomial.outer(line, k), polynomial.square(k)
        linear = (c[1] * line).addcmul_(f[1], k)
        mixed = torch.add(lk, kk, alpha=0.5)
        quadratic = (c[1] * q).addcmul_(f[1], p).addcmul_(0.5 * c[2], ll).addcmul_(f[2], mixed)
        poly = torch.cat([c[0], linear, quadratic], dim=1).masked_fill_(equal[:, None], 0.0)
        along_l = (c[3] / 6.0 * ll).addcmul_(c[2], q).addcmul_(f[2], p)
        along_k = (f[3] * (0.5 * (ll + lk)).add_(kk, alpha=1.0 / 6.0)).addcmul_(f[2], q + p)
        if bool(equal.any()):
            along_l, along_k = along_l.masked_fill_(equal[:, None], 0.0), along_k.masked_fill_(equal[:, None], 0.0)
        (L, _), (K, _) = g.sizes, D.sizes
        slope = Slope(self.slope.mean, self.slope.spread, self.tilt[:, None] * (line + k), self.tilt.abs() * (L + K))
        quiet = [x.masked_fill(equal, 0.0) for x in (self.c[1], self.c[2], self.f[2])]
        crossed = (quiet[1][:, None] * line).addcmul_(quiet[2][:, None], k)
        cross = Slope(quiet[0], across, crossed, quiet[1].abs() * L + quiet[2].abs() * K)
        carried = slope.most() * D.rest + cross.most() * g.rest
        made = (made + SLOPE_ROUNDINGS * carried) * OUT
        out = Taylor(poly, (carried + made + cubic_size) * OUT)
        return Step(out, made, (slope,), (cross,), ((line, along_l), (k, along_k)), cubic_size)


def cut_difference(
    of_g: tuple[Tensor, Tensor],
    of_d: tuple[Tensor, Tensor],
    c: list[Tensor],
    f: tuple[Tensor, ...],
    m4: Tensor,
    m5: Tensor,
    size: Tensor,
) -> Tensor:
    """|d1| of the docstring above; size = |b| + V."""
    (L, Q), (K, R) = of_g, of_d
    U, V = L + Q, K + R
    second = 0.5 * c[2].abs() * Q * Q + f[2].abs() * R * (Q + 0.5 * R)
    grown = Q * (U * U + U * L + L * L)
    mixed = 3.0 * (Q * (U + L) * V + L * L * R + Q * V * V + L * R * (V + K)) + R * (V * V + V * K + K * K)
    fourth = m5 * size * (U * U) ** 2 + m4 * V * (4.0 * U * U * U + V * (6.0 * U * U + V * (4.0 * U + V)))
    return second + (c[3].abs() * grown + f[3].abs() * mixed) / 6.0 + fourth / 24.0


def noise_difference(
    eg: list[Tensor], ef: list[Tensor], c: list[Tensor], f: tuple[Tensor, ...], U: Tensor, V: Tensor
) -> Tensor:
    """What roundoff adds to d."""
    of_c = [eg[k] + ef[k] + FEW * c[k].abs() for k in range(4)]
    of_f = [ef[k] + FEW * f[k].abs() for k in range(4)]
    W = U + V
    return of_c[0] + U * (of_c[1] + U * (of_c[2] + U * of_c[3])) + V * (of_f[1] + W * (of_f[2] + W * of_f[3]))


def _misses(
    phi: Function, vg: tuple[Tensor, ...], vf: tuple[Tensor, ...], at: Tensor, m1: Tensor, n3: Tensor, m4: Tensor
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Noise of g's and f's derivatives, f's evaluated at a rounded a + b of size `at`; and their differences."""
    moved = UNIT * at
    steepness = (m1, vf[2].abs() + phi.noise(2, vf[2]) + n3 * moved, n3, m4)
    eg = [phi.noise(k, vg[k]) for k in range(4)]
    ef = [phi.noise(k, vf[k]) + moved * steepness[k] for k in range(4)]
    return eg, ef, [vf[k] - vg[k] for k in range(4)]


def _cubic_size(
    of_g: tuple[Tensor, Tensor], of_d: tuple[Tensor, Tensor], c: list[Tensor], f: tuple[Tensor, ...]
) -> Tensor:
    (L, Q), (K, R) = of_g, of_d
    f2 = f[2].abs()
    along_l = c[3].abs() / 6.0 * L * L + c[2].abs() * Q + f2 * R
    along_k = f[3].abs() * (0.5 * L * (L + K) + K * K / 6.0) + f2 * (Q + R)
    return L * along_l + K * along_k


def _tilted(curve: Tensor, near: Tensor, third: Tensor, far: Tensor) -> Tensor:
    """|t| of a slope: curve (Q + r) + N3 (U + r)^2 / 2."""
    return curve * near + 0.5 * third * far * far


def tilted(phi: Function, z: Taylor, off: Tensor, steep: Slope, m3: Tensor) -> Slope:
    """phi'(x) for x within `off` of z; M3 over an interval that holds both; no wider than `steep`."""
    (L, Q), far = z.sizes, z.reach + z.rest + off
    _, v1, v2 = phi.derivatives(z.poly[:, 0], 2)
    near = _tilted(v2.abs(), Q + z.rest + off, m3, far) + phi.noise(1, v1) + L * phi.noise(2, v2)
    slope = _narrower(Slope(v1, near), steep, v2)
    factor = _given(slope.size)
    return Slope(slope.mean, slope.spread, z.linear * factor[:, None], factor.abs() * L)


def _narrower(tilted: Slope, constant: Slope, curve: Tensor) -> Slope:
    """The slope with the smaller spread; `size` of the result holds the signed factor of the tilt, 0 where constant."""
    take = tilted.spread < constant.spread
    mean = torch.where(take, tilted.mean, constant.mean)
    spread = torch.where(take, tilted.spread, constant.spread)
    return Slope(mean, spread * OUT, None, curve.masked_fill(~take, 0.0))


def _given(value: Tensor | None) -> Tensor:
    assert value is not None
    return value


def hull(parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The hull of centre -+ radius, widened by roundoff."""
    low = [c - h - 4.0 * UNIT * (c.abs() + h) for c, h in parts]
    high = [c + h + 4.0 * UNIT * (c.abs() + h) for c, h in parts]
    if len(parts) == 1:
        return low[0], high[0]
    return torch.minimum(*low), torch.maximum(*high)
