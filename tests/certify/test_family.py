"""Bounds over families of inputs and over boxes of many columns hold at every input, rounded ones too."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.certified_pairs import Layers, layers, merged, narrower, network, perturbed
from support.longer import evaluate

from edgepde.certify import engine, propagate
from edgepde.certify.domain import Domain, constant
from edgepde.certify.engine import bound_difference, bound_range
from edgepde.certify.family import Family
from edgepde.certify.network import Network
from edgepde.certify.prove import widened
from edgepde.certify.rounding import bound_rounding


def family(rng: np.random.Generator, d: int, k: int, radius: float = 0.0) -> Family:
    """A random family of k modes in d columns."""
    low = rng.uniform(-1.0, 0.5, k)
    modes = rng.normal(size=(k, d)) / np.sqrt(k)
    return Family(rng.normal(size=d), modes, low, low + rng.uniform(0.0, 1.5, k), np.full(d, radius))


def inputs(of: Family, rng: np.random.Generator, n: int = 400) -> np.ndarray:
    """Inputs of the family, coefficients and remainders often at their ends."""
    _, _, low, high, radius = of.arrays()
    a = low + np.round(rng.random((n, len(low))), rng.integers(0, 3)) * (high - low)
    return of.at(a) + radius * 0.999999 * rng.choice([-1.0, 1.0, 0.3], (n, of.dimension))


def off(f: Network, g: Network, x: np.ndarray) -> np.ndarray:
    """|f - g| at least, roundoff of the longer arithmetic taken off."""
    (yf, ef), (yg, eg) = evaluate(f, x), evaluate(g, x)
    return np.abs(yf - yg) - ef - eg


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([perturbed, merged, narrower]),
    st.sampled_from([0.0, 1e-7, 0.05]),
    st.sampled_from([(1, 1), (3, 2), (40, 2), (12, 9)]),
)
def test_no_input_of_a_family_exceeds_the_bound(
    seed: int, change: object, radius: float, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(seed)
    net = layers(rng, [size[0], 9, 7, 2], 1.2)
    f, g = network(net), network(change(net, rng, 1e-2))  # type: ignore[operator]
    of = family(rng, *size, radius)
    made = bound_difference(f, g, of, boxes=200, seed=seed % 1000)
    assert (off(f, g, inputs(of, rng)).max(axis=0) <= made.value).all()
    assert (made.found <= made.value * (1.0 + 1e-12)).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_inputs_rounded_to_float32_are_within_the_rounded_family(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = layers(rng, [24, 8, 1], 1.0)
    f, g = network(net), network(perturbed(net, rng, 1e-3))
    of = family(rng, 24, 2)
    made = bound_difference(f, g, of.rounded("float32"), boxes=400)
    _, _, low, high, _ = of.arrays()
    x = of.at(rng.uniform(low, high, (500, 2))).astype(np.float32).astype(np.float64)
    assert (off(f, g, x).max(axis=0) <= made.value).all()
    mean, modes, *_, radius = of.rounded("float32").arrays()
    a = np.linalg.lstsq(modes.T, (x - mean).T, rcond=None)[0].T
    assert (np.abs(x - mean - a @ modes) <= 2.0 * radius + 1e-7).all()


def test_a_family_is_bounded_tightly_and_far_below_its_box() -> None:
    rng = np.random.default_rng(3)
    net = layers(rng, [64, 32, 32, 1], 1.2)
    f, g = network(net), network(perturbed(net, rng, 1e-4))
    of = family(rng, 64, 2).rounded("float32")
    made = bound_difference(f, g, of, seconds=600.0)
    assert made.proved
    assert made.how == "pair"
    assert made.tightness[0] <= 1.1 * (1.0 + 1e-9)
    box = Box(-of.size, of.size)
    loose = bound_difference(f, g, box, seconds=600.0, boxes=20)
    assert loose.value[0] > made.value[0]


def test_a_box_as_a_family_has_the_bound_of_the_box() -> None:
    rng = np.random.default_rng(5)
    net = layers(rng, [2, 16, 16, 1], 1.2)
    f, g = network(net), network(perturbed(net, rng, 1e-3))
    box = bound_difference(f, g, Box([-1.0, -1.0], [1.0, 1.0]), seconds=600.0)
    same = bound_difference(f, g, Family([0.0, 0.0], np.eye(2), [-1.0, -1.0], [1.0, 1.0]), seconds=600.0)
    assert same.value[0] == pytest.approx(box.value[0], rel=0.1)


def test_networks_apart_share_the_remainder_of_their_input() -> None:
    rng = np.random.default_rng(6)
    net = layers(rng, [6, 12, 1], 0.7)
    f, g = network(net), network(perturbed(net, rng, 1e-4))
    domain = Domain.of(family(rng, 6, 1, 1e-3))
    way = engine._ways(f, g, domain, torch.ones(1, dtype=torch.float64), 0)["apart"]
    middle = (0.5 * domain.low + 0.5 * domain.high)[None]
    x = domain.inputs(middle)
    slope = float(bound_range(f, Family(x[0].numpy(), np.eye(6), [0.0] * 6, [1e-3] * 6)).high[0] - f(x)[0, 0])
    assert float(way(middle, middle).rest[0, 0]) < 0.1 * slope
    assert float(way(x, x, begin=constant).rest[0, 0]) < 1e-9


@pytest.mark.parametrize("d", [7, 30, 300, 2000])
def test_many_columns_have_a_bound_that_says_how_loose_it_is(d: int) -> None:
    rng = np.random.default_rng(d)
    net = layers(rng, [d, 16, 16, 3], 1.0)
    f, g = network(net), network(perturbed(net, rng, 1e-4))
    box = Box([-1.0] * d, [1.0] * d)
    made = bound_difference(f, g, box, seconds=2.0, boxes=64)
    x = np.sign(rng.normal(size=(300, d))) * rng.random((300, 1))
    assert (off(f, g, x).max(axis=0) <= made.value).all()
    assert np.isfinite(made.value).all()
    assert (made.tightness >= 1.0).all()
    reach = bound_range(f, box, seconds=2.0, boxes=16)
    y = f(torch.from_numpy(x)).numpy()
    assert (y >= reach.low).all()
    assert (y <= reach.high).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_rounding_holds_over_a_family(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net: Layers = [
        tuple(v.astype(np.float32).astype(np.float64) for v in pair) for pair in layers(rng, [20, 8, 1], 2.0)
    ]  # type: ignore[misc]
    of = family(rng, 20, 2).rounded("float32")
    made = bound_rounding(network(net), of, boxes=200)
    _, _, low, high, _ = of.arrays()
    x = of.at(rng.uniform(low, high, (300, 2))).astype(np.float32)
    h = x
    for i, (w, b) in enumerate(net):
        h = h @ w.astype(np.float32).T + b.astype(np.float32)
        h = np.tanh(h) if i == 0 else h
    exact, _ = evaluate(network(net), x.astype(np.float64))
    anyorder = bound_rounding(network(net), of, engine_any(), boxes=200)
    assert (np.abs(h - exact).max(axis=0) <= anyorder.rounding + anyorder.activation).all()
    assert (made.rounding <= anyorder.rounding * 1.2).all()


def engine_any() -> object:
    from edgepde.certify.rounding import Arithmetic

    return Arithmetic(order="any", ulps={"tanh": 4.0})


def test_what_is_no_family_is_refused() -> None:
    eye = np.eye(2)
    for given_, words in (
        ((np.zeros(2), eye, [0.0, 0.0], [1.0]), None),
        ((np.zeros(3), eye, [0.0, 0.0], [1.0, 1.0]), "modes expected shape"),
        ((np.zeros(2), eye, [0.0, 2.0], [1.0, 1.0]), "coefficient 1 expected low <= high"),
        ((np.zeros(2), eye, [0.0, 0.0, 0.0], [1.0, 1.0]), "low expected 2 numbers"),
        ((np.zeros(2), eye, [0.0, np.nan], [1.0, 1.0]), "low expected finite"),
        ((np.zeros(2), eye, [0.0, 0.0], [1.0, 1.0], [-1.0, 0.0]), "no negative"),
        ((np.zeros(2), "no", [0.0, 0.0], [1.0, 1.0]), "modes expected numbers"),
    ):
        if words is None:
            assert Family(*given_).arrays()[3].shape == (2,)
            continue
        with pytest.raises(InputError, match=words):
            Family(*given_)
    net = network(layers(np.random.default_rng(0), [2, 3, 1], 1.0))
    with pytest.raises(InputError, match="expected 3 inputs"):
        bound_difference(net, net, Family(np.zeros(3), np.eye(3), [0.0] * 3, [1.0] * 3))


def test_modes_that_are_no_variables_of_the_polynomials_count_too() -> None:
    """More modes than variables: a linear map, whose worst is known exactly, in the modes of least weight as well."""
    rng = np.random.default_rng(8)
    modes = 30
    of = Family(np.zeros(modes), np.eye(modes), -np.ones(modes), np.ones(modes))
    weight = rng.uniform(0.5, 1.0, (1, modes))
    f = network([(weight, np.zeros(1))])
    g = network([(np.zeros((1, modes)), np.zeros(1))])
    made = bound_difference(f, g, of, boxes=3)
    assert made.value[0] >= weight.sum()
    found = bound_range(f, of, boxes=3)
    assert found.high[0] >= weight.sum()
    assert found.low[0] <= -weight.sum()


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e30, 1e30), st.floats(0.0, 1e30))
def test_the_cube_covers_its_box_exactly(low: float, width: float) -> None:
    high = low + width
    c, r = propagate.cube(*(torch.tensor([[v]], dtype=torch.float64) for v in (low, high)))
    centre, reach = Fraction(float(c)), Fraction(float(r))
    assert centre - reach <= Fraction(low)
    assert centre + reach >= Fraction(high)


@given(st.floats(-1e30, 1e30), st.floats(1e-20, 1e30), st.sampled_from(["float32", "float64"]))
def test_a_widened_box_holds_its_ends_as_the_device_has_them(low: float, width: float, dtype: str) -> None:
    assume(low + width > low)
    wide = widened(Box([low], [low + width]), dtype)
    for end in (low, low + width):
        held = float(np.asarray(end).astype(dtype))
        assert wide.low[0] <= min(end, held)
        assert wide.high[0] >= max(end, held)
    assert dtype == "float32" or (wide.low[0], wide.high[0]) == (low, low + width)
