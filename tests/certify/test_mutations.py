"""The soundness checks can fail: each way to be wrong is put in, and must be seen by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from support import adverse, longer
from support.certified_pairs import Layers, network

from edgepde.certify import arithmetic, propagate, rounding_steps, sensor
from edgepde.certify import network as nw
from edgepde.certify.attack import Found
from edgepde.certify.engine import bound_difference
from edgepde.certify.family import Family
from edgepde.certify.network import Network
from edgepde.certify.rounding import bound_rounding, own_ulps
from edgepde.certify.rules import _linear, _nodes, _smooth
from edgepde.certify.rules._enclosure import Slope
from edgepde.certify.sensor import Accuracy, bound_sensitivity
from edgepde.errors import CertificateFault

Boxes = tuple[torch.Tensor, torch.Tensor]
ONE = torch.ones(1, dtype=torch.float64)
SIZES, CENTRES = (0.0, 1e-3, 0.05, 0.2, 0.5), 80


def sharp(depth: int, seed: int, change: float) -> tuple[Network, Network]:
    """One neuron a layer, one input: bounds are nearly attained."""
    rng = np.random.default_rng(seed)
    f: Layers = [(rng.uniform(0.5, 2.0, (1, 1)) * rng.choice([-1, 1]), rng.normal(0.0, 0.7, 1)) for _ in range(depth)]
    g = [(w * (1.0 + change * rng.normal()), b + change * rng.normal(size=1)) for w, b in f]
    return network(f), network(g)


def boxes() -> Boxes:
    """Boxes of every size about many centres."""
    centre = torch.linspace(-2.0, 2.0, CENTRES, dtype=torch.float64).repeat(len(SIZES))[:, None]
    half = torch.tensor(SIZES, dtype=torch.float64).repeat_interleave(CENTRES)[:, None]
    return centre - half, centre + half


def violations(depth: int, change: float, way: Callable[..., propagate.Enclosure]) -> int:
    """Over sharp pairs: boxes whose ends or middle break the enclosure."""
    low, high = boxes()
    wrong = 0
    for seed in range(12):
        f, g = sharp(depth, seed, change)
        least, most = (side.numpy()[:, 0] for side in way(f, g, low, high, ONE).low_high())
        for x in (low, high, 0.5 * low + 0.5 * high, 0.75 * low + 0.25 * high):
            (yf, ef), (yg, eg) = (longer.evaluate(net, x.numpy()) for net in (f, g))
            value, slack = (yf - yg)[:, 0], (ef + eg)[:, 0]
            wrong += int(((value < least - slack) | (value > most + slack)).sum())
    return wrong


def halved(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    return lambda *given: 0.5 * function(*given)


def none(*_: Any) -> float:
    return 0.0


def dropped(node: Any, slopes: tuple[Slope, ...], adjoint: torch.Tensor, widths: list[int]) -> list[torch.Tensor]:
    """Adjoints that stop at the last hidden layer."""
    pulled = _PULL(node, slopes, adjoint, widths)
    return [0.0 * p for p in pulled] if slopes else pulled


def uncrossed(f: Any, *_: Any) -> list[None]:
    """No way from the remainders of g to the difference."""
    return [None] * len(f.sources)


_PULL = _nodes.pull
MUTATIONS: tuple[tuple[str, Any, str, Any, int, float], ...] = (
    ("the remainder of a difference halved", _smooth, "cut_difference", halved(_smooth.cut_difference), 2, 0.3),
    ("the remainder of one network halved", _smooth, "cut_alone", halved(_smooth.cut_alone), 2, 0.3),
    ("adjoints of all but the last layer dropped", _nodes, "pull", dropped, 3, 0.1),
    ("the crossing adjoint dropped", _nodes, "pull_across", uncrossed, 3, 0.3),
    ("no slack for functions", _smooth, "noise_difference", none, 2, 1e-14),
)


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("change", [0.3, 1e-3, 1e-14])
@pytest.mark.parametrize("way", [propagate.difference, propagate.apart])
def test_sharp_networks_break_nothing(depth: int, change: float, way: Callable[..., propagate.Enclosure]) -> None:
    assert violations(depth, change, way) == 0


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[m[0] for m in MUTATIONS])
def test_every_mutation_is_seen(
    mutation: tuple[str, Any, str, Any, int, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, module, name, change, depth, size = mutation
    monkeypatch.setattr(module, name, change)
    seen = [violations(depth, size, way) for way in (propagate.difference, propagate.apart)]
    assert max(seen) > 0


@pytest.mark.parametrize("quantity", ["spread", "cubic_size"])
def test_what_slopes_leave_open_counts(quantity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if quantity == "spread":
        monkeypatch.setattr(propagate._Total, "spread", none)
    else:
        monkeypatch.setattr(propagate.polynomial, "cubic", lambda c: 0.0 * c.flatten(-2))
    seen = [violations(3, 0.3, way) for way in (propagate.difference, propagate.apart)]
    assert max(seen) > 0


def cancellation(rng: np.random.Generator, activation: bool) -> Network:
    """Large terms that cancel: what is left is roundoff of float64 and a little more."""
    n = 33
    first = (rng.normal(size=(n, 2)), rng.normal(size=n))
    out = rng.normal(size=n) * 1e6
    twice = np.concatenate([out, -out])
    middle = (
        nw.Pointwise((1,), "tanh")
        if activation
        else nw.Scale((1,), torch.ones(2 * n).double(), torch.zeros(2 * n).double())
    )
    w, b = (np.concatenate([v, v * (1.0 + 2.0**-50 * rng.integers(-3, 4, v.shape))]) for v in first)
    last = nw.Affine((2,), nw.tensor(twice[None]), nw.tensor(np.zeros(1)))
    return Network((nw.Input(2), nw.Affine((0,), nw.tensor(w), nw.tensor(b)), middle, last))


def off_at_points(activation: bool) -> int:
    """At how many single points the enclosure of a cancelling network misses its exact value."""
    rng, wrong = np.random.default_rng(5), 0
    for _ in range(20):
        net = cancellation(rng, activation)
        x = torch.from_numpy(rng.uniform(-2.0, 2.0, (50, 2)))
        low, high = (side.numpy() for side in propagate.one(net, x, x, ONE).low_high())
        with mpmath.workdps(50):
            exact = np.array([[exactly(net, row)] for row in x.numpy()])
        wrong += int(((exact < low) | (exact > high)).sum())
    return wrong


def exactly(net: Network, x: np.ndarray) -> mpmath.mpf:
    """The network in 50 digits."""
    h = [mpmath.mpf(float(v)) for v in x]
    for node in net.nodes[1:]:
        if isinstance(node, nw.Affine):
            rows = node.weight.tolist()
            h = [mpmath.fdot(row, h) + b for row, b in zip(rows, node.bias.tolist(), strict=True)]
        elif isinstance(node, nw.Pointwise):
            h = [mpmath.tanh(v) for v in h]
    return h[0]


@pytest.mark.parametrize("activation", [False, True])
def test_without_outward_slack_roundoff_breaks_the_bound(activation: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert off_at_points(activation) == 0
    monkeypatch.setattr(_linear, "gamma", none)
    if activation:
        monkeypatch.setattr(_smooth, "noise_alone", none)
    assert off_at_points(activation) > 0


def worst_device(change: float = 1.0) -> int:
    """Over sharp networks: points at which a device as bad as its promise exceeds the rounding bound."""
    wrong = 0
    for seed in range(12):
        f, _ = sharp(2 + seed % 3, seed, 0.0)
        narrow = [n.weight.float().double() for n in f.nodes if isinstance(n, nw.Affine)]
        biases = [n.bias.float().double() for n in f.nodes if isinstance(n, nw.Affine)]
        net = nw.mlp(narrow, biases, ["tanh"] * (len(narrow) - 1))
        x = np.linspace(-1.0, 1.0, 4000, dtype=np.float32).astype(np.float64)[:, None]
        made = bound_rounding(net, Box([-1.0], [1.0]), seconds=600.0, boxes=4000, seed=seed)
        bad = adverse.computed(net, x, 0, 2.0**-24, {"tanh": own_ulps("tanh", "float32")}, change)
        exact, slack = longer.evaluate(net, x)
        wrong += int((np.abs(bad - exact) - slack > made.rounding + made.activation).sum())
    return wrong


def test_the_worst_device_keeps_to_the_rounding_bound_and_nearly_attains_it() -> None:
    assert worst_device() == 0
    assert worst_device(1.5) > 0


_POWER = arithmetic.power_of_two
ROUNDING_MUTATIONS: tuple[tuple[str, Any, str, Any], ...] = (
    ("half of the sums' roundings", rounding_steps, "_running", halved(rounding_steps._running)),
    ("half of the functions' errors", arithmetic.Arithmetic, "miss", halved(arithmetic.Arithmetic.miss)),
    ("a binade too low", rounding_steps, "power_of_two", lambda x: 0.5 * _POWER(x)),
    ("adjoints dropped", _nodes, "pull", dropped),
)


@pytest.mark.parametrize("mutation", ROUNDING_MUTATIONS, ids=[m[0] for m in ROUNDING_MUTATIONS])
def test_every_mutation_of_rounding_is_seen(
    mutation: tuple[str, Any, str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, where, name, change = mutation
    monkeypatch.setattr(where, name, change)
    assert worst_device() > 0


def of_families() -> int:
    """How many bounds over sharp families an input at the ends of the radius exceeds."""
    wrong = 0
    for seed in range(12):
        f, g = sharp(1 + seed % 3, seed, 0.3)
        of = Family([0.1], [[1.0]], [-0.02], [0.02], [0.05])
        try:
            made = bound_difference(f, g, of, seconds=600.0, boxes=2000, seed=seed)
        except CertificateFault:
            wrong += 1
            continue
        x = 0.1 + 0.07 * (1.0 - 1e-12) * np.linspace(-1.0, 1.0, 201)[:, None]
        (yf, ef), (yg, eg) = (longer.evaluate(net, x) for net in (f, g))
        wrong += int((np.abs(yf - yg) - ef - eg > made.value).sum())
    return wrong


def test_a_forgotten_radius_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert of_families() == 0
    whole = Family.arrays
    monkeypatch.setattr(Family, "arrays", lambda self: (*whole(self)[:4], 0.0 * whole(self)[4]))
    assert of_families() > 0


def test_a_radius_without_its_adjoint_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(propagate, "_entered", lambda made, *_: made)
    assert of_families() > 0


def of_sensors() -> int:
    """How many bounds for inexact inputs of sharp networks an input as wrong as allowed exceeds."""
    wrong = 0
    for seed in range(12):
        f, _ = sharp(1 + seed % 3, seed, 0.0)
        try:
            made = bound_sensitivity(f, Box([0.5], [1.0]), {"x0": Accuracy(1e-3, True)}, seconds=600.0, seed=seed)
        except CertificateFault:
            wrong += 1
            continue
        x = np.linspace(0.5, 1.0, 501)[:, None]
        (y, e), (z, o) = longer.evaluate(f, x), longer.evaluate(f, x * (1.0 + 1e-3 * (1.0 - 1e-9)))
        wrong += int((np.abs(y - z) - e - o > made.value).sum())
    return wrong


def test_half_an_accuracy_and_its_dropped_adjoint_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert of_sensors() == 0
    with monkeypatch.context() as patch:
        patch.setattr(sensor._Given, "most", halved(sensor._Given.most))
        patch.setattr(sensor, "_searched", lambda f, *_: Found(torch.zeros(1).double(), torch.ones(1, 2, 1).double()))
        assert of_sensors() > 0
    monkeypatch.setattr(propagate, "_entered", lambda made, *_: made)
    assert of_sensors() > 0
