"""Bounds of the float64 kernels' errors, proved: every rounding of every operation, and the polynomials' own errors.

Inputs are moderate ones: a denormal result adds half a unit, a huge angle is reduced more exactly than a moderate one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ulp_sweep import polynomials
from ulp_sweep.polynomials import coefficients
from ulp_sweep.rounded import (
    UNIT,
    Array,
    Value,
    exactly,
    fma,
    horner,
    minus,
    over,
    pieces,
    plus,
    rounding,
    scaled,
    times,
    towards_0,
)

HALF_LN2 = math.log(2) / 2 * (1 + 2.0**-11)
ONE = exactly(1.0)
TINY = 2.0**-90  # products of errors, third parts of constants


def table(header: str, function: str, variable: str) -> list[float]:
    """The coefficients of a kernel in double."""
    return [float(c) for c in coefficients(header, f"ep_{function}_f64", variable)]


def reduced(count: int = 600) -> Value:
    """t - k ln(2): the first product is exact, the second rounds."""
    r = pieces(-HALF_LN2, HALF_LN2, count)
    return r.off(UNIT * r.size + TINY)


def near_0(r: Value) -> Value:
    """exp(r) - 1 = r + r^2 q(r)."""
    p = fma(times(r, r), horner(table("kernels/exponential.h", "exp_second", "q"), r), r)
    return p.off(float(polynomials.exp_error(64)) * r.size)


def power(r: Value) -> Value:
    """exp(r) = 1 + (exp(r) - 1)."""
    return plus(near_0(r), ONE)


def power_relative(r: Value) -> float:
    """The largest relative error of exp(r)."""
    y = power(r)
    return float(np.max(y.error / y.least))


def left_of_0() -> Value:
    """z = exp(-|x|) = 2^k exp(r) for k = 0 .. -59."""
    r, k = reduced(200), -np.arange(60.0)[:, None]
    z = scaled(power(r), 2.0**k)
    keep = (k < 0) | (r.high <= 0)
    return Value(*(np.broadcast_to(v, keep.shape)[keep] for v in (z.low, np.minimum(z.high, 1.0), z.error)))


def exp() -> float:
    return power(reduced()).ulps()


def tanh() -> float:
    c, error = table("ops/tanh/tanh.h", "tanh", "q"), float(polynomials.half_exp_error(64))
    worst = 0.0
    for k in range(0, -53, -1):  # below, both differ from 1 by 2^-53 at most
        r = towards_0(-HALF_LN2 / 2, 2000) if k == 0 else pieces(-HALF_LN2 / 2, HALF_LN2 / 2, 300)
        r = r.off(-k * abs(math.log(2) / 2 - float.fromhex("0x1.62e42fefa39efp-2")) + -k * 1.2e-17)
        p = fma(times(r, r), horner(c, r), r)
        p = p.off(error * r.size)
        s = exactly(2.0 ** (k + 1))
        top = fma(minus(s), p, exactly(1 - 2.0**k))
        top = scaled(minus(p), 2.0) if k == 0 else top
        bottom = fma(s, p, exactly(1 + 2.0**k))
        worst = max(worst, over(top, bottom).ulps())
    return worst


def _odds(z: Value) -> tuple[Value, Value]:
    """y = z / (1 + z), whose roundings meet an error of z only once, and z - z y as it is left of 0."""
    fresh = Value(z.low, z.high)
    rounded = over(fresh, plus(ONE, fresh)).error
    inherited = z.error / (1 + z.low) ** 2 + 2 * z.error**2
    y = Value(z.low / (1 + z.low), z.high / (1 + z.high))
    return y.off(inherited + rounded), rounding(y.off(inherited + z.size * rounded))


def sigmoid() -> float:
    y, left = _odds(left_of_0())
    return max(left.ulps(), plus(ONE, minus(y)).ulps())


def softplus() -> float:
    z = left_of_0()
    u = over(z, fma(z, exactly(0.5), ONE))
    square = times(u, u)
    y = fma(times(u, square), horner(table("ops/softplus/softplus.h", "softplus", "q"), square), u)
    ideal = Value(np.log1p(z.low), np.log1p(z.high), y.error + float(polynomials.log1p_error(64)) * u.size)
    x = Value(-np.log(z.high), -np.log(z.low))
    return max(ideal.ulps(), plus(x, ideal).ulps())


def log() -> float:
    c, error = table("ops/log/log.h", "log", "q"), float(polynomials.log_error(64))
    high, low = float.fromhex("0x1.62e42fefa38p-1"), float.fromhex("0x1.ef35793c7673p-45")
    worst = 0.0
    for k in range(-1075, 1025):
        near = [towards_0(math.sqrt(2) - 1, 600), towards_0(math.sqrt(0.5) - 1, 600)]
        for m in near if k == 0 else [pieces(math.sqrt(0.5) - 1, math.sqrt(2) - 1, 500 if abs(k) < 4 else 24)]:
            s = over(m, plus(m, exactly(2.0)))
            z, square = times(s, s), times(m, m)
            q = fma(z, horner(c, z), scaled(square, 0.5))
            y = fma(s, q, times(exactly(float(k)), exactly(low)))
            y = plus(m, minus(fma(square, exactly(0.5), minus(y))))
            y = fma(exactly(float(k)), exactly(high), y)
            ideal = Value(k * math.log(2) + np.log1p(m.low), k * math.log(2) + np.log1p(m.high), y.error)
            if k == -1:
                ideal = Value(ideal.low, np.minimum(ideal.high, -0.34), ideal.error)
            worst = max(worst, ideal.ulps(error * s.size + abs(k) * TINY))
    return worst


def sin() -> float:
    r = towards_0(0.794, 3000)
    r = r.off(2 * UNIT * r.size)
    z = times(r, r)
    y = fma(times(r, z), horner(table("kernels/trigonometric.h", "sin_near_0", "s"), z), r)
    return max(Value(np.sin(r.low), np.sin(r.high), y.error).ulps(float(polynomials.sin_error(64)) * r.size), _cos())


def _cos() -> float:
    r = pieces(0.0, 0.794, 3000)
    r = r.off(2 * UNIT * r.size)
    z = times(r, r)
    c = horner(table("kernels/trigonometric.h", "cos_near_0", "c"), z)
    y = fma(times(z, z), c, fma(z, exactly(-0.5), ONE))
    return Value(np.cos(r.high), np.cos(r.low), y.error).ulps(float(polynomials.cos_error(64)))


def erf() -> float:
    a = towards_0(1.0, 2000)
    square = times(a, a)
    y = fma(a, horner(table("ops/erf/erf.h", "erf", "p"), square), a)
    small = y.ulps(float(polynomials.erf_error(64)) * a.size)
    a = pieces(1.0, 6.0, 2000)
    e = Value(np.exp(-(a.high**2)), np.exp(-(a.low**2)))
    r = reduced()
    relative = float(np.max(near_0(r).error / np.exp(r.low))) + UNIT + UNIT * a.size**2
    e = e.off(relative * e.size)
    d = over(exactly(-1.0), plus(a, exactly(2.5)))
    u = fma(d, exactly(5.0), ONE)
    y = fma(e, times(horner(table("ops/erf/erf.h", "erf", "q"), u), d), ONE)
    low = np.array([math.erf(v) for v in a.low])
    return max(small, Value(low, np.ones_like(low), y.error).ulps(float(polynomials.erfc_error(64))))


def _tail(low: Array, high: Array, tail: Callable[[float], float]) -> Value:
    """a tail(a) over pieces where it has at most one top; its values at both ends, widened."""
    at = [np.array([v * tail(v) for v in edge]) for edge in (low, high)]
    spread = np.maximum((high - low) * low, 0.0) + 1e-12
    return Value(np.minimum(*at) * (1 - spread), np.maximum(*at) * (1 + spread))


def _both_sides(a: Value, h: Value, inner: bool) -> float:
    """-h for x = -a, and x - h in one rounding, after another where `inner`."""
    right = fma(h, exactly(-1.0), rounding(a) if inner else a)
    ideal = Value(np.maximum(right.low, a.low / 2), right.high, right.error)
    return max(rounding(h).ulps(), ideal.ulps())


def gelu() -> float:
    worst = 0.0
    for a in (towards_0(0.25, 2000), pieces(0.25, 36.0, 100_000)):
        u = Value((a.low - 4.5) / (a.low + 4.5), (a.high - 4.5) / (a.high + 4.5))
        u = rounding(rounding(u)).off(TINY)
        p = horner(table("ops/gelu/gelu.h", "gelu", "p"), u)
        r = reduced()
        relative = power_relative(r.off(UNIT * r.size)) + p.error / p.least + UNIT
        h = _tail(a.low, a.high, lambda v: math.erfc(v / math.sqrt(2)) / 2)
        h = h.off((relative + float(polynomials.gelu_error(64)) + 8 * UNIT**2) * h.size)
        worst = max(worst, _both_sides(a, h, True))
    return worst


def gelu_tanh() -> float:
    worst = 0.0
    r = reduced()
    relative = power_relative(r.off(UNIT * r.size + TINY))
    for a in (towards_0(0.25, 2000), pieces(0.25, 20.0, 60_000)):
        t = [v * (1.5957691216057308 + 0.07135481627159786 * v * v) for v in (a.high, a.low)]
        z = Value(np.exp(-t[0]), np.exp(-t[1]))
        z = z.off(relative * z.size)
        _, y = _odds(z)
        h = Value(a.low * y.low, a.high * y.high, a.size * y.error)
        worst = max(worst, _both_sides(a, h, False))
    return worst


def sinh() -> float:
    worst = 0.0
    for k in (*range(60), 1025):
        r = towards_0(HALF_LN2, 2000, 2.0**-28) if k == 0 else reduced(300)
        p, s, quarter = near_0(r), exactly(2.0 ** min(k, 1000) / 4), exactly(0.25)
        e = Value(np.exp(r.low), np.exp(r.high))
        m = fma(s, p, plus(s, exactly(-0.25)) if k else exactly(0.0))
        m = scaled(p, 0.25) if k == 0 else m
        y = fma(over(m, fma(s, p, s)), quarter, m)
        big = 2.0 ** min(k, 1000)
        low, high = (e.low * big - 1 / (e.low * big)) / 4, (e.high * big - 1 / (e.high * big)) / 4
        if k == 0:
            low, high = np.sinh(r.low) / 2, np.sinh(r.high) / 2
        worst = max(worst, Value(low, high, y.error).ulps())
    return worst


def cosh() -> float:
    worst = 0.0
    for k in range(60):
        r = reduced(600) if k else pieces(0.0, HALF_LN2, 600)
        s = exactly(2.0**k / 4)
        quarter = fma(s, near_0(r), s)
        y = plus(quarter, over(exactly(0.0625), quarter))
        t = Value(np.maximum(k * math.log(2) + r.low, 0.0), k * math.log(2) + r.high)
        worst = max(worst, Value(np.cosh(t.low) / 2, np.cosh(t.high) / 2, y.error).ulps())
    return worst


def elu() -> float:
    """exp(x) - 1 for x < 0, and times an alpha that is not a power of two."""
    worst = 0.0
    for k in range(0, -56, -1):
        r = towards_0(-HALF_LN2, 2000) if k == 0 else reduced(400)
        s, p = exactly(2.0**k), near_0(r)
        m = fma(s, p, plus(s, exactly(-1.0))) if k else p
        z = Value(np.expm1(r.low + k * math.log(2)), np.expm1(np.minimum(r.high + k * math.log(2), 0.0)), m.error)
        worst = max(worst, float(np.max(z.error / z.least)))
    return worst / UNIT + 1.0


def selu() -> float:
    """elu times gamma."""
    return elu() + 1.0


BOUNDS: dict[str, Callable[[], float]] = {
    f.__name__: f for f in (exp, tanh, sigmoid, softplus, log, sin, erf, gelu, gelu_tanh, sinh, cosh, elu, selu)
}
BOUNDS["cos"] = sin
