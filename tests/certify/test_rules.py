"""Every rule encloses: derivatives, ranges, and what each says of polynomial, cubic part, slopes and remainders."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from edgepde_runtime.errors import UnsupportedModel
from hypothesis import given, settings
from hypothesis import strategies as st
from support import longer
from torch import Tensor

from edgepde.certify import polynomial, rules
from edgepde.certify.rules import _product, _smooth
from edgepde.certify.rules._enclosure import Slope, Step, Taylor
from edgepde.certify.rules._function import ORDERS, Function
from edgepde.certify.rules._pieced import Pieced
from edgepde.certify.rules.relu import Relu

EXPONENT = {"power": 5}
SMOOTH = [name for name in rules.functions() if name != "relu"]
MP = {
    "tanh": mpmath.tanh,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "exp": mpmath.exp,
    "erf": mpmath.erf,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "gelu": lambda x: x * mpmath.ncdf(x),
    "power": lambda x: x**5,
    "reciprocal": lambda x: 1 / x,
    "log": mpmath.log,
    "sqrt": mpmath.sqrt,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "asinh": mpmath.asinh,
    "elu": lambda x: x if x > 0 else mpmath.expm1(x),
    "gelu_tanh": lambda x: x / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3))),
}
POSITIVE = ("log", "sqrt")
AWAY_FROM_0 = (*POSITIVE, "reciprocal")
ROWS, BATCH = 40, 24
seeds = st.integers(0, 2**32 - 1)


def rule(name: str) -> Function:
    return rules.function(name, EXPONENT.get(name, 0))


def domain(name: str, x: np.ndarray) -> np.ndarray:
    """Points where the function is defined."""
    if name in POSITIVE:
        return np.abs(x) + 0.1
    if name == "elu":
        return np.where(x == 0.0, 1e-3, x)
    return np.sign(x) * (np.abs(x) + 0.1) if name == "reciprocal" else x


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_are_right_to_the_noise_stated(name: str) -> None:
    rng = np.random.default_rng(0)
    x = domain(
        name,
        np.concatenate([rng.normal(0.0, 2.0, 24), rng.normal(0.0, 15.0, 12), [0.0 if name != "reciprocal" else 1.0]]),
    )
    phi = rule(name)
    with mpmath.workdps(60):
        for point in x:
            found = phi.derivatives(torch.tensor(point, dtype=torch.float64))
            wanted = mpmath.taylor(MP[name], mpmath.mpf(float(point)), ORDERS - 1)
            for k in range(ORDERS):
                off = abs(mpmath.mpf(float(found[k])) - wanted[k] * math.factorial(k))
                assert off <= float(phi.noise(k, found[k])) + 1e-300, (point, k)


@pytest.mark.parametrize("name", SMOOTH)
@settings(max_examples=60, deadline=None)
@given(st.floats(-12.0, 12.0), st.floats(0.0, 1.0), st.floats(-4.0, 1.0))
def test_enclosures_hold_the_derivatives_of_every_point(name: str, start: float, share: float, size: float) -> None:
    low = start
    high = low + 10.0**size
    if name == "reciprocal" and low <= 0.1:
        low, high = low - high, -0.1 - low if low < 0.0 else low + 0.1
        low, high = min(low, high), max(low, high)
    if name in POSITIVE:
        low, high = abs(low) + 0.05, abs(low) + 0.05 + high - low
    phi = rule(name)
    ends = torch.tensor([low, high], dtype=torch.float64)
    span = phi.span(ends[0], ends[1])
    inner = torch.linspace(0.0, 1.0, 101, dtype=torch.float64)
    x = (low + torch.cat([inner, torch.tensor([share], dtype=torch.float64)]) * (high - low)).clamp(low, high)
    at = phi.derivatives(x)
    for k in range(ORDERS):
        least, most = phi.enclosure(k, span)
        noise = phi.noise(k, at[k])
        assert bool((at[k] >= least - noise).all() and (at[k] <= most + noise).all()), k
        assert bool((at[k].abs() <= phi.largest(k, span) + noise).all()), k


@pytest.mark.parametrize("name", SMOOTH)
def test_enclosures_are_sharp_at_turning_points(name: str) -> None:
    phi = rule(name)
    for k, points in enumerate(phi.turning):
        for at in points:
            span = phi.span(torch.tensor(at - 0.3, dtype=torch.float64), torch.tensor(at + 0.2, dtype=torch.float64))
            value = phi.derivatives(torch.tensor(at, dtype=torch.float64))[k]
            low, high = phi.enclosure(k, span)
            assert bool(low - 1e-12 <= value <= high + 1e-12)
            assert bool(phi.largest(k, span) + 1e-12 >= value.abs())


def drawn(rng: np.random.Generator, d: int, size: float, rest: float, centre: float = 1.5) -> Taylor:
    """A random model of ROWS neurons in BATCH boxes."""
    shape = (BATCH, (d + 1) * (d + 2) // 2, ROWS)
    poly = rng.normal(0.0, 1.0, shape) * size * 10.0 ** rng.uniform(-2.0, 0.0, (BATCH, 1, ROWS))
    poly[:, 0] = rng.normal(0.0, centre, (BATCH, ROWS))
    off = rest * 10.0 ** rng.uniform(-3.0, 0.0, (BATCH, ROWS)) * (rng.random((BATCH, ROWS)) < 0.8)
    return Taylor(torch.from_numpy(poly), torch.from_numpy(off))


def at(poly: Tensor, s: Tensor) -> np.ndarray:
    """The polynomial at s [B, d], [B, n]."""
    d = s.shape[1]
    rows = [torch.ones_like(s[:, 0]), *(s[:, i] for i in range(d))]
    rows += [s[:, i] * s[:, j] for i, j in polynomial.quadratic_pairs(d)]
    return (torch.stack(rows, dim=1)[:, :, None].numpy().astype(np.longdouble) * poly.numpy()).sum(axis=1)


def sloped(slope: Slope, s: Tensor) -> np.ndarray:
    value = slope.mean.numpy().astype(np.longdouble)
    return value if slope.tilt is None else value + (slope.tilt * s[:, :, None]).sum(dim=1).numpy()


def cubic(step: Step, s: Tensor) -> np.ndarray:
    """The cubic part at s."""
    d, total = s.shape[1], np.zeros(step.made.shape, dtype=np.longdouble)
    for form, quadratic in step.cubic:
        pairs = torch.stack([s[:, i] * s[:, j] for i, j in polynomial.quadratic_pairs(d)], dim=1)
        total += ((form * s[:, :, None]).sum(dim=1) * (quadratic * pairs[:, :, None]).sum(dim=1)).numpy()
    if step.cubic_size is not None:
        assert (np.abs(total) <= step.cubic_size.numpy() * (1.0 + 1e-12)).all()
    return total


def excess(step: Step, value: np.ndarray, s: Tensor, passed: list[tuple[Slope, np.ndarray]]) -> np.ndarray:
    """By how much y - P_y breaks either promise of a step: rest, and made after slopes and cubic part."""
    off = value - at(step.out.poly, s)
    allowed = step.made.numpy().astype(np.longdouble)
    fine = off - cubic(step, s)
    for slope, E in passed:
        fine = fine - sloped(slope, s) * E
        allowed = allowed + slope.spread.numpy() * np.abs(E)
    long = 64.0 * longer.EPS * (1.0 + np.abs(value) + step.out.size.numpy() + step.out.rest.numpy())
    return np.maximum(np.abs(off) - step.out.rest.numpy(), np.abs(fine) - allowed) - long


def remainder(rng: np.random.Generator, z: Taylor) -> np.ndarray:
    """An E within rest, often all of it."""
    share = np.clip(rng.uniform(-2.0, 2.0, z.rest.shape), -1.0, 1.0)
    return z.rest.numpy().astype(np.longdouble) * share


def corner(rng: np.random.Generator, d: int) -> Tensor:
    s = np.clip(rng.uniform(-1.5, 1.5, (BATCH, d)), -1.0, 1.0)
    return torch.from_numpy(s)


def positive(z: Taylor) -> Taylor:
    """The same models where the range leaves out 0 by moving their centres."""
    poly = z.poly.clone()
    poly[:, 0] = poly[:, 0].abs() + z.reach + z.rest + 0.5
    return Taylor(poly, z.rest)


def one_rule(name: str, z: Taylor) -> Step:
    phi = rule(name)
    return phi.single(z) if isinstance(phi, Relu | Pieced) else _smooth.single(phi, z)


@pytest.mark.parametrize("name", rules.functions())
@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(1, 3), st.floats(-3.0, 0.5), st.floats(-8.0, -0.5))
def test_one_network_through_a_function(name: str, seed: int, d: int, size: float, rest: float) -> None:
    rng = np.random.default_rng(seed)
    z = drawn(rng, d, 10.0**size, 10.0**rest)
    z = positive(z) if name in AWAY_FROM_0 else z
    step = one_rule(name, z)
    for _ in range(4):
        s, E = corner(rng, d), remainder(rng, z)
        value = longer.function(name, at(z.poly, s) + E, EXPONENT.get(name, 0))
        assert (excess(step, value, s, [(step.slopes[0], E)]) <= 0.0).all()


def two_rules(name: str, g: Taylor, D: Taylor) -> tuple[Step, Step]:
    phi = rule(name)
    return phi.difference(g, D) if isinstance(phi, Relu | Pieced) else _smooth.difference(phi, g, D)


@pytest.mark.parametrize("name", rules.functions())
@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(1, 3), st.floats(-3.0, 0.5), st.floats(-6.0, 0.0), st.floats(-8.0, -0.5))
def test_a_difference_through_a_function(name: str, seed: int, d: int, size: float, small: float, rest: float) -> None:
    rng = np.random.default_rng(seed)
    g = drawn(rng, d, 10.0**size, 10.0**rest)
    D = drawn(rng, d, 10.0 ** (size + small), 10.0 ** (rest + small), 10.0**small)
    if name in AWAY_FROM_0:
        g = Taylor(positive(Taylor(g.poly, g.rest + 2.0 * (D.size + D.rest))).poly, g.rest)
    of_g, of_d = two_rules(name, g, D)
    exponent = EXPONENT.get(name, 0)
    for _ in range(4):
        s, E, F = corner(rng, d), remainder(rng, g), remainder(rng, D)
        z_g = at(g.poly, s) + E
        y_g, y_f = (longer.function(name, z, exponent) for z in (z_g, z_g + at(D.poly, s) + F))
        assert (excess(of_g, y_g, s, [(of_g.slopes[0], E)]) <= 0.0).all()
        long = 64.0 * longer.EPS * (1.0 + np.abs(y_f) + np.abs(y_g))
        passed = [(of_d.slopes[0], F), (of_d.crossing[0], E)]
        assert (excess(of_d, y_f - y_g, s, passed) <= long).all()


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(1, 3), st.floats(-6.0, 0.0))
def test_products_alone_and_in_a_difference(seed: int, d: int, small: float) -> None:
    rng = np.random.default_rng(seed)
    x, y = drawn(rng, d, 1.0, 0.1), drawn(rng, d, 1.0, 0.1)
    D, G = drawn(rng, d, 10.0**small, 10.0**small, 10.0**small), drawn(rng, d, 10.0**small, 10.0**small, 10.0**small)
    of_g, of_d = _product.difference((x, D), (y, G))
    for _ in range(4):
        s = corner(rng, d)
        E, F, ED, FG = (remainder(rng, h) for h in (x, y, D, G))
        xg, yg = at(x.poly, s) + E, at(y.poly, s) + F
        xf, yf = xg + at(D.poly, s) + ED, yg + at(G.poly, s) + FG
        passed = list(zip(of_g.slopes, (E, F), strict=True))
        assert (excess(of_g, xg * yg, s, passed) <= 0.0).all()
        passed = [*zip(of_d.slopes, (ED, FG), strict=True), *zip(of_d.crossing, (E, F), strict=True)]
        assert (excess(of_d, xf * yf - xg * yg, s, passed) <= 64.0 * longer.EPS * (1.0 + np.abs(xf * yf))).all()


@pytest.mark.parametrize("name", AWAY_FROM_0)
@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0), (-1.0, 0.0), (-1e-300, 1e-300), (0.0, 0.0)])
def test_where_the_range_touches_0_there_is_no_bound(name: str, low: float, high: float) -> None:
    phi = rule(name)
    span = phi.span(torch.tensor(low, dtype=torch.float64), torch.tensor(high, dtype=torch.float64))
    for k in range(ORDERS):
        least, most = phi.enclosure(k, span)
        assert (float(least), float(most)) == (-math.inf, math.inf), k
        assert float(phi.largest(k, span)) == math.inf, k
    z = Taylor(
        torch.tensor([[[0.5 * (low + high)], [0.5 * (high - low)], [0.0]]], dtype=torch.float64), torch.zeros(1, 1)
    )
    for step in (one_rule(name, z), *two_rules(name, z, z)):
        assert not bool(torch.isfinite(step.out.rest).any())


@pytest.mark.parametrize("name", POSITIVE)
def test_below_0_there_is_no_bound_either(name: str) -> None:
    z = Taylor(torch.tensor([[[-2.0], [0.5], [0.0]]], dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64))
    for step in (one_rule(name, z), *two_rules(name, z, z)):
        assert not bool(torch.isfinite(step.out.rest).any())


def test_an_operation_without_a_rule_is_named() -> None:
    with pytest.raises(UnsupportedModel, match="mish"):
        rules.function("mish")
    with pytest.raises(UnsupportedModel, match="exponent"):
        rules.function("power", 1)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 4))
def test_polynomials_are_bounded_and_multiplied(seed: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    poly = torch.from_numpy(rng.normal(size=(BATCH, (d + 1) * (d + 2) // 2, 3)))
    low, high = polynomial.extremes(poly)
    left, right = torch.from_numpy(rng.normal(size=(2, BATCH, d, 3)))
    s = corner(rng, d)
    value = at(poly, s)
    assert (value >= low.numpy() - 1e-12).all()
    assert (value <= high.numpy() + 1e-12).all()
    product = torch.cat([torch.zeros(BATCH, 1 + d, 3, dtype=torch.float64), polynomial.outer(left, right)], dim=1)
    direct = ((left * s[:, :, None]).sum(dim=1) * (right * s[:, :, None]).sum(dim=1)).numpy()
    assert np.allclose(at(product, s).astype(float), direct, atol=1e-12)
    assert torch.allclose(polynomial.square(left), polynomial.outer(left, left))
