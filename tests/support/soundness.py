"""Searches for a point that breaks a bound, over networks chosen to hurt: how many were tried, what broke."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from edgepde_runtime.box import Box
from numpy.typing import NDArray
from support import adverse
from support.certified_pairs import CHANGES, SHAPES, Layers, Pair, layers, network, pair
from support.longer import evaluate

from edgepde.certify import propagate
from edgepde.certify.align import aligned
from edgepde.certify.attack import attack
from edgepde.certify.engine import bound_difference
from edgepde.certify.family import Family
from edgepde.certify.rounding import Arithmetic, bound_rounding, own_ulps
from edgepde.certify.sensor import Accuracy, bound_sensitivity

Array = NDArray[np.float64]
BOXES = 24


@dataclass(frozen=True)
class Tried:
    """points: how many inputs were compared with a bound; wrong: a line for every bound that one of them exceeded."""

    points: int
    wrong: tuple[str, ...]


def sub_boxes(box: Box, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes of every size inside, a point among them, the whole box first."""
    low, high = np.asarray(box.low), np.asarray(box.high)
    size = (high - low) * 10.0 ** rng.uniform(-4.0, 0.0, (BOXES, 1)) * rng.uniform(0.1, 1.0, (BOXES, len(low)))
    size[-1] = 0.0
    start = low + rng.random((BOXES, len(low))) * (high - low - size)
    start[0], size[0] = low, high - low
    return torch.from_numpy(start), torch.from_numpy(np.minimum(start + size, high))


def inside(low: torch.Tensor, high: torch.Tensor, rng: np.random.Generator, points: int) -> torch.Tensor:
    """Points [n, d] of one box, corners among them."""
    share = torch.from_numpy(rng.random((points, len(low))))
    share[::4] = share[::4].round()
    return torch.minimum(low + share * (high - low), high)


def difference(one: Pair, x: Array) -> tuple[Array, Array]:
    """f - g in longer arithmetic and how far that may be off, so that its own rounding is no violation."""
    (f, off_f), (g, off_g) = evaluate(one.f, x), evaluate(one.g, x)
    return f - g, off_f + off_g


def enclosures(seed: int, points: int) -> Tried:
    """Random points and corners of boxes of every size, against every way to analyse."""
    one, rng = pair(seed), np.random.default_rng(seed)
    low, high = sub_boxes(one.box, rng)
    return _held(one, low, high, [inside(a, b, rng, points).numpy() for a, b in zip(low, high, strict=True)])


def adversarial(seed: int) -> Tried:
    """Points climbed to in boxes of every size, and in the whole box against its bound by branch and bound."""
    one, rng = pair(seed), np.random.default_rng(seed)
    low, high = sub_boxes(one.box, rng)
    low, high = low[:8], high[:8]
    climbed = []
    for a, b in zip(low, high, strict=True):
        found = attack(lambda x: one.f(x) - one.g(x), a, b, seed=seed, samples=256, steps=30)
        climbed.append(found.points.numpy())
    tried = _held(one, low, high, climbed)
    made = bound_difference(one.f, one.g, one.box, seconds=600.0, boxes=200, seed=seed + 1)
    truth, slack = difference(one, climbed[0])
    off = (np.abs(truth) - slack).max(axis=0) - made.value
    more = (f"{one.name}: branch and bound by {off.max():.3g}",) if (off > 0.0).any() else ()
    return Tried(tried.points + len(climbed[0]), tried.wrong + more)


def _held(one: Pair, low: torch.Tensor, high: torch.Tensor, points: list[Array]) -> Tried:
    truth = [difference(one, x) for x in points]
    scale = torch.ones(one.f.outputs, dtype=torch.float64)
    ways = {"apart": propagate.apart(one.f, one.g, low, high, scale)}
    twin = one.g if propagate.alike(one.f, one.g) else aligned(one.f, one.g, torch.from_numpy(points[0]))
    if twin is not None:
        ways["pair"] = propagate.difference(one.f, twin, low, high, scale)
    wrong = []
    for name, made in ways.items():
        least, most = (side.numpy() for side in made.low_high())
        for i, (values, slack) in enumerate(truth):
            off = np.maximum(least[i] - values, values - most[i]) - slack
            if (off > 0.0).any():
                wrong.append(f"{one.name}: {name} box {i} by {float(off.max()):.3g}")
    return Tried(len(ways) * sum(len(x) for x in points), tuple(wrong))


def families(seed: int, points: int) -> Tried:
    """Inputs of random families, at the ends of coefficients and radii too, rounded to float32 every second time."""
    rng = np.random.default_rng(seed)
    name, hidden, gain = SHAPES[seed % len(SHAPES)]
    d, k = int(rng.choice([1, 4, 24])), int(rng.choice([1, 2]))
    net = layers(rng, [d, *hidden, 2], gain)
    f, g = network(net), network(CHANGES[seed % len(CHANGES)](net, rng, 10.0 ** rng.uniform(-5.0, -1.0)))
    low = rng.uniform(-1.0, 0.5, k)
    of = Family(
        rng.normal(size=d), rng.normal(size=(k, d)), low, low + rng.uniform(0.0, 1.0, k), 10.0 ** rng.uniform(-9, -1)
    )
    x = of.at(low + np.round(rng.random((points, k)), int(rng.integers(0, 4))) * (of.arrays()[3] - low))
    if seed % 2:
        of, x = of.rounded("float32"), x.astype(np.float32).astype(np.float64)
    else:
        x = x + of.arrays()[4] * (1.0 - 1e-9) * rng.choice([-1.0, 1.0, 0.2], x.shape)
    made = bound_difference(f, g, of, seconds=600.0, boxes=100, seed=seed)
    return _below(f"{seed}: family, {name}", Pair("", f, g, Box([0.0], [1.0])), x, made.value)


def _below(name: str, one: Pair, x: Array, bound: Array) -> Tried:
    truth, slack = difference(one, x)
    off = (np.abs(truth) - slack).max(axis=0) - bound
    return Tried(len(x), (f"{name} by {off.max():.3g}",) if (off > 0.0).any() else ())


def sensors(seed: int, points: int) -> Tried:
    """Inputs that are off by what they may be, against sup |f(x + delta) - f(x)|."""
    one, rng = pair(seed), np.random.default_rng(seed)
    given = {n: Accuracy(10.0 ** rng.uniform(-6.0, -0.5), bool(rng.integers(2))) for n in one.box.names}
    made = bound_sensitivity(one.f, one.box, given, seconds=600.0, boxes=60, seed=seed)
    x = one.box.sample(points, rng)
    x[::4] = np.where(rng.random(x[::4].shape) < 0.5, one.box.low, one.box.high)
    sizes = np.abs(x)
    most = np.stack([a.value * (sizes[:, i] ** a.relative) for i, a in enumerate(given.values())], axis=1)
    moved = x + most * (1.0 - 1e-9) * rng.choice([-1.0, 1.0, 0.4], x.shape)
    (y, e), (z, o) = evaluate(one.f, x), evaluate(one.f, moved)
    off = (np.abs(y - z) - e - o).max(axis=0) - made.value
    return Tried(points, (f"{one.name}: sensor by {off.max():.3g}",) if (off > 0.0).any() else ())


def roundings(seed: int, points: int) -> Tried:
    """The arithmetic of the kernels in numpy, and a device as bad as its promise, against the rounding bound."""
    rng = np.random.default_rng(seed)
    name, hidden, gain = SHAPES[seed % len(SHAPES)]
    d = int(rng.integers(1, 4))
    net = [_narrow(w, b) for w, b in layers(rng, [d, *hidden, 1], gain)]
    box = Box(np.full(d, -1.0), np.full(d, 1.0))
    made = bound_rounding(network(net), box, Arithmetic(), seconds=600.0, boxes=100, seed=seed)
    most = made.rounding + made.activation
    x = rng.uniform(-1.0, 1.0, (points, d)).astype(np.float32).astype(np.float64)
    exact, slack = evaluate(network(net), x)
    bad = adverse.computed(network(net), x, 0, 2.0**-24, {"tanh": own_ulps("tanh", "float32")})
    wrong = []
    for kind, y in (("computed", float32(net, x)), ("adverse", bad)):
        off = (np.abs(y - exact) - slack).max(axis=0) - most
        if (off > 0.0).any():
            wrong.append(f"{seed}: {name}, {kind} by {off.max():.3g}")
    return Tried(2 * points, tuple(wrong))


def _narrow(weight: Array, bias: Array) -> tuple[Array, Array]:
    return weight.astype(np.float32).astype(np.float64), bias.astype(np.float32).astype(np.float64)


def float32(net: Layers, x: Array) -> NDArray[np.float32]:
    """A tanh network in float32 in the kernels' order: chains of 16, fused, added to the bias one after the other."""
    h = x.astype(np.float32)
    for i, (weight, bias) in enumerate(net):
        w, total = weight.astype(np.float32), np.broadcast_to(bias.astype(np.float32), (len(h), len(bias))).copy()
        for first in range(0, w.shape[1], 16):
            chain = np.zeros_like(total)
            for k in range(first, min(first + 16, w.shape[1])):
                chain = (w[None, :, k].astype(np.float64) * h[:, k, None] + chain).astype(np.float32)
            total = total + chain
        h = np.tanh(total.astype(np.float64)).astype(np.float32) if i < len(net) - 1 else total
    return h


KINDS: dict[str, Callable[[int, int], Tried]] = {
    "enclosures": enclosures,
    "families": families,
    "sensor": sensors,
    "rounding": roundings,
}
