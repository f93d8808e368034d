"""Networks of many kinds with a network beside them that differs a little, to be certified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from edgepde_runtime.box import Box
from numpy.typing import NDArray

from edgepde.certify.network import Network, mlp

Array = NDArray[np.float64]
Layers = list[tuple[Array, Array]]


@dataclass(frozen=True)
class Pair:
    """Two networks to compare over a box."""

    name: str
    f: Network
    g: Network
    box: Box


def layers(rng: np.random.Generator, sizes: list[int], gain: float) -> Layers:
    """Random weights and biases."""
    return [
        (gain * rng.standard_normal((m, n)) / np.sqrt(n), 0.5 * gain * rng.standard_normal(m))
        for n, m in pairwise(sizes)
    ]


def network(net: Layers, activation: str = "tanh") -> Network:
    """The network of these layers."""
    return mlp([w for w, _ in net], [b for _, b in net], [activation] * (len(net) - 1))


def perturbed(net: Layers, rng: np.random.Generator, size: float) -> Layers:
    """Every weight moved: a student fitted again."""
    return [(w + size * rng.standard_normal(w.shape), b + size * rng.standard_normal(b.shape)) for w, b in net]


def truncated(net: Layers, _rng: np.random.Generator, size: float) -> Layers:
    """Hidden layers at a lower rank."""
    made = [net[0]]
    for w, b in net[1:]:
        u, s, v = np.linalg.svd(w, full_matrices=False)
        s = np.where(s < (size + 0.1) * s.max(), 0.0, s)
        made.append(((u * s) @ v, b))
    return made


def merged(net: Layers, rng: np.random.Generator, _size: float) -> Layers:
    """One neuron of every hidden layer dropped, its mean effect kept."""
    made = [(w.copy(), b.copy()) for w, b in net]
    for i in range(len(net) - 1):
        if len(made[i][1]) > 1:
            gone = int(rng.integers(len(made[i][1])))
            made[i] = (np.delete(made[i][0], gone, axis=0), np.delete(made[i][1], gone))
            made[i + 1] = (np.delete(made[i + 1][0], gone, axis=1), made[i + 1][1])
    return made


def narrower(net: Layers, rng: np.random.Generator, _size: float) -> Layers:
    """Other weights and widths altogether: a distilled student."""
    sizes = [net[0][0].shape[1], *(max(1, len(b) // 2) for _, b in net[:-1]), len(net[-1][1])]
    return layers(rng, sizes, 1.0)


def rounded(net: Layers, _rng: np.random.Generator, _size: float) -> Layers:
    """Weights in half precision."""
    return [(w.astype(np.float16).astype(np.float64), b.astype(np.float16).astype(np.float64)) for w, b in net]


CHANGES: tuple[Callable[[Layers, np.random.Generator, float], Layers], ...] = (
    perturbed,
    truncated,
    merged,
    narrower,
    rounded,
)
SHAPES: tuple[tuple[str, list[int], float], ...] = (
    ("plain", [8, 8], 1.2),
    ("deep", [4] * 10, 1.3),
    ("width 1", [1, 1, 1], 2.0),
    ("saturated", [10, 10], 8.0),
    ("large", [12], 30.0),
    ("wide", [24, 24], 1.0),
)
SMOOTH = ("tanh", "sin", "sigmoid", "gelu", "silu", "softplus", "erf", "cos")


def pair(seed: int) -> Pair:
    """One pair; the seed decides its shape, dimension, activation, change and size."""
    rng = np.random.default_rng(seed)
    name, hidden, gain = SHAPES[seed % len(SHAPES)]
    change = CHANGES[(seed // len(SHAPES)) % len(CHANGES)]
    activation = "tanh" if seed % 3 else str(rng.choice([*SMOOTH, "relu"]))
    d, outputs = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2]))
    net = layers(rng, [d, *hidden, outputs], gain)
    if seed % 7 == 0:
        net = cancelling(net)
    size = float(10.0 ** rng.uniform(-6.0, -1.0))
    low = rng.uniform(-2.0, 0.5, d)
    box = Box(low, low + 10.0 ** rng.uniform(-3.0, 0.5, d))
    words = f"{seed}: {name}, {change.__name__} {size:.1e}, {activation}, {d} inputs"
    return Pair(words, network(net, activation), network(change(net, rng, size), activation), box)


def cancelling(net: Layers) -> Layers:
    """The last layer sees every neuron twice with opposite large weights that nearly cancel."""
    *first, (w, b), (v, c) = net
    twice = (np.vstack([w, w * (1.0 + 1e-3)]), np.concatenate([b, b]))
    return [*first, twice, (np.hstack([100.0 * v, -100.0 * v]), c)]
