"""How far the kernels' polynomials are from their functions, proved by Taylor polynomials and Bernstein bounds.

The coefficients are read from the headers. Numbers are mpmath's with 60 digits; what they round is far below a bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import edgepde_runtime
import mpmath as mp

PACKAGE = Path(edgepde_runtime.__file__).parent
PIECES = 24
TERMS = 40
RADIUS_TERMS = 14
mp.mp.dps = 60
ONE = mp.mpf(1)
Polynomial = list[mp.mpf]


def coefficients(header: str, function: str, variable: str) -> Polynomial:
    """The coefficients, lowest first, of the Horner chain of `variable` in a kernel."""
    text = (PACKAGE / header).read_text(encoding="utf-8")
    start = text.index(f" {function}(")
    body = text[start : text.index("\n}", start)]
    number = r"\(?(?:ep_set_f\d\d\()?(-?0x[0-9a-f.]+p[+-]\d+|-?[0-9.]+)f?\)"
    first = re.search(rf"\b{variable} = ep_set_f\d\d{number}", body)
    assert first is not None
    rest = re.findall(rf"(?:\b{variable} =|return) ep_fma_f\d\d\({variable}, \w+, ep_set_f\d\d{number}\)", body)
    return [exactly(word) for word in [first[1], *rest]][::-1]


def exactly(word: str) -> mp.mpf:
    """A number as C reads it in double; hexadecimal ones of a float are the same."""
    return mp.mpf(float.fromhex(word) if "x" in word else float(word))


def added(a: Sequence[mp.mpf], b: Sequence[mp.mpf], sign: int = 1) -> Polynomial:
    size = max(len(a), len(b))
    return [(a[i] if i < len(a) else 0) + sign * (b[i] if i < len(b) else 0) for i in range(size)]


def multiplied(a: Sequence[mp.mpf], b: Sequence[mp.mpf]) -> Polynomial:
    made = [mp.mpf(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            made[i + j] += x * y
    return made


def largest(polynomial: Sequence[mp.mpf], low: mp.mpf, high: mp.mpf, pieces: int = PIECES) -> mp.mpf:
    """A bound on |polynomial| over [low, high]: the largest Bernstein coefficient of its pieces."""
    return max(
        _bernstein(polynomial, low + (high - low) * i / pieces, low + (high - low) * (i + 1) / pieces)
        for i in range(pieces)
    )


def _bernstein(polynomial: Sequence[mp.mpf], low: mp.mpf, high: mp.mpf) -> mp.mpf:
    local: Polynomial = [polynomial[-1]]
    for c in polynomial[-2::-1]:
        local = added(multiplied(local, [low, high - low]), [c])
    n = len(local) - 1
    scaled = [c / mp.binomial(n, i) for i, c in enumerate(local)]
    return max(abs(mp.fsum(mp.binomial(j, i) * scaled[i] for i in range(j + 1))) for j in range(n + 1))


def error(found: Sequence[mp.mpf], taylor: Callable[[int], mp.mpf], low: mp.mpf, high: mp.mpf) -> mp.mpf:
    """sup |found - function| over [low, high]: against 40 terms of its series, the next one bounding twice the rest."""
    rest = 2 * abs(taylor(TERMS)) * max(abs(low), abs(high)) ** TERMS
    return largest(added(found, [taylor(i) for i in range(TERMS)], -1), low, high) + rest


@cache
def exp_error(bits: int) -> mp.mpf:
    """sup |1 + r q(r) - (exp(r) - 1) / r| on |r| <= ln(2)/2 (1 + 2^-11)."""
    high = mp.log(2) / 2 * (1 + mp.mpf(2) ** -11)
    q = coefficients("kernels/exponential.h", f"ep_exp_second_f{bits}", "q")
    return error([mp.mpf(1), *q], lambda i: 1 / mp.factorial(i + 1), -high, high)


@cache
def half_exp_error(bits: int) -> mp.mpf:
    """sup |1 + r q(r) - (exp(2 r) - 1) / (2 r)| on |r| <= ln(2)/4 (1 + 2^-11)."""
    high = mp.log(2) / 4 * (1 + mp.mpf(2) ** -11)
    q = coefficients("ops/tanh/tanh.h", f"ep_tanh_f{bits}", "q")
    return error([mp.mpf(1), *q], lambda i: mp.mpf(2) ** i / mp.factorial(i + 1), -high, high)


@cache
def sin_error(bits: int) -> mp.mpf:
    """sup |1 + z S(z) - sin(r) / r|, z = r^2, |r| <= 0.794."""
    s = coefficients("kernels/trigonometric.h", f"ep_sin_near_0_f{bits}", "s")
    return error([mp.mpf(1), *s], lambda i: (-1) ** i / mp.factorial(2 * i + 1), mp.mpf(0), mp.mpf("0.794") ** 2)


@cache
def cos_error(bits: int) -> mp.mpf:
    """sup |1 - z/2 + z^2 C(z) - cos(r)|, z = r^2, |r| <= 0.794."""
    c = coefficients("kernels/trigonometric.h", f"ep_cos_near_0_f{bits}", "c")
    found = [mp.mpf(1), mp.mpf(-0.5), *c]
    return error(found, lambda i: (-1) ** i / mp.factorial(2 * i), mp.mpf(0), mp.mpf("0.794") ** 2)


@cache
def log_error(bits: int) -> mp.mpf:
    """sup |z A(z) - (log((1 + s) / (1 - s)) / s - 2)|, z = s^2, (1 + s) / (1 - s) in [sqrt(1/2), sqrt(2)]."""
    high = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2
    a = coefficients("ops/log/log.h", f"ep_log_f{bits}", "q")
    return error([mp.mpf(0), *a], lambda i: mp.mpf(2) / (2 * i + 1) if i else mp.mpf(0), mp.mpf(0), high)


@cache
def log1p_error(bits: int) -> mp.mpf:
    """sup |1 + w B(w) - log(1 + z) / u|, u = 2 z / (2 + z), w = u^2, 0 <= z <= 1."""
    b = coefficients("ops/softplus/softplus.h", f"ep_softplus_f{bits}", "q")
    return error([mp.mpf(1), *b], lambda i: mp.mpf(4) ** -i / (2 * i + 1), mp.mpf(0), mp.mpf(4) / 9)


@cache
def erf_error(bits: int) -> mp.mpf:
    """sup |1 + P(z) - erf(x) / x|, z = x^2 <= 1."""
    p = coefficients("ops/erf/erf.h", f"ep_erf_f{bits}", "p")
    factor = 2 / mp.sqrt(mp.pi)
    return error(
        added([mp.mpf(1)], p), lambda i: factor * (-1) ** i / (mp.factorial(i) * (2 * i + 1)), mp.mpf(0), mp.mpf(1)
    )


@cache
def erfc_error(bits: int) -> mp.mpf:
    """sup |exp(-y^2) (Q((y - c) / (y + c)) / (y + c) - exp(y^2) erfc(y))|, 1 <= y <= 4 (6)."""
    q = coefficients("ops/erf/erf.h", f"ep_erf_f{bits}", "q")
    c, high = (mp.mpf(2), 4) if bits == 32 else (mp.mpf(2.5), 6)
    return max(mp.exp(-(y**2)) * absolute for y, absolute, _ in _bell(q, c, mp.mpf(1), mp.mpf(1), mp.mpf(high)))


@cache
def gelu_error(bits: int) -> mp.mpf:
    """sup |P((a - c) / (a + c)) / (a + c) / (exp(a^2 / 2) erfc(a / sqrt(2)) / 2) - 1|, 0 <= a <= 15 (38.7)."""
    p = coefficients("ops/gelu/gelu.h", f"ep_gelu_f{bits}", "p")
    c, high = (mp.mpf(4), 15) if bits == 32 else (mp.mpf(4.5), mp.mpf("38.7"))
    half = mp.mpf(1) / 2
    return max(relative for _, _, relative in _bell(p, c, mp.sqrt(half), mp.mpf(0), mp.mpf(high), half))


def _bell(
    p: Polynomial, c: mp.mpf, scale: mp.mpf, low: mp.mpf, high: mp.mpf, factor: mp.mpf = ONE
) -> Iterator[tuple[mp.mpf, mp.mpf, mp.mpf]]:
    """On pieces [x, x + h]: x, a bound on |P / (x + c) - f|, and one on that over f.

    f(x) = factor exp(y^2) erfc(y), y = scale x.

    f is completely monotone, so the rest of its Taylor polynomial at x is at most the next term.
    """
    x = low
    while x < high:
        h = (x + c) / 64
        terms = _taylor(x * scale, RADIUS_TERMS + 1)
        local = [factor * t * scale**i for i, t in enumerate(terms)]
        rest = abs(local.pop()) * h**RADIUS_TERMS
        bottom, found = [x + c, ONE], [p[-1]]
        power = [ONE]
        for coefficient in p[-2::-1]:
            power = multiplied(power, bottom)
            found = added(multiplied(found, [x - c, ONE]), [coefficient * t for t in power])
        difference = added(found, multiplied(local, multiplied(power, bottom)), -1)
        absolute = _bernstein(difference, mp.mpf(0), h) / (x + c) ** len(p) + rest
        yield x, absolute, absolute / (factor * mp.exp((scale * (x + h)) ** 2) * mp.erfc(scale * (x + h)))
        x += h


def _taylor(y: mp.mpf, count: int) -> Polynomial:
    """Taylor coefficients of f(y) = exp(y^2) erfc(y), from f' = 2 y f - 2 / sqrt(pi)."""
    terms = [mp.exp(y * y) * mp.erfc(y)]
    terms.append(2 * y * terms[0] - 2 / mp.sqrt(mp.pi))
    for n in range(1, count - 1):
        terms.append(2 * (y * terms[n] + terms[n - 1]) / (n + 1))
    return terms
