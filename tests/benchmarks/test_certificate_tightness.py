"""The rivals are bounds, and the compressed networks what the benchmark says they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from support.certified_pairs import layers, network, perturbed
from tightness import rivals
from tightness.compress import Layers, evaluate, fitted, merged_to, widths
from tightness.train import field, fit, plain, uniform

BOX = Box([-1.0, -0.5], [0.5, 1.0])


def nets(seed: int, gain: float) -> tuple[Layers, Layers]:
    rng = np.random.default_rng(seed)
    f = layers(rng, [2, 12, 10, 1], gain)
    return f, perturbed(f, rng, 1e-2)


@pytest.mark.parametrize("gain", [0.5, 1.5, 6.0])
@pytest.mark.parametrize("seed", range(4))
def test_rivals_are_bounds_on_boxes_of_every_size(seed: int, gain: float) -> None:
    f, g = nets(seed, gain)
    rng = np.random.default_rng(seed)
    size = 1.5 * 10.0 ** rng.uniform(-3.0, 0.0, (20, 2))
    low = np.array(BOX.low) + rng.random((20, 2)) * (np.array(BOX.high) - np.array(BOX.low) - size)
    x = low[:, None] + rng.random((20, 200, 2)) * size[:, None]
    worst = np.abs(evaluate(f, x.reshape(-1, 2)) - evaluate(g, x.reshape(-1, 2))).reshape(20, -1).max(axis=1)
    for make in (rivals.interval, rivals.crown):
        made = make(network(f), network(g))(torch.from_numpy(low), torch.from_numpy(low + size)).numpy()
        assert (worst <= made * (1.0 + 1e-9)).all(), make.__name__
    assert worst.max() <= rivals.norm_product(network(f), network(g), BOX)


def test_splitting_lowers_the_bound_and_keeps_the_box() -> None:
    f, g = nets(0, 1.0)
    bound = rivals.crown(network(f), network(g))
    whole, _, _ = rivals.split(bound, BOX, 0.0, 0.0)
    value, boxes, _ = rivals.split(bound, BOX, 60.0, 0.2 * whole)
    assert value <= 0.2 * whole
    assert boxes > 1
    x = uniform(2000, 2, 0).numpy() * 0.75 + [-0.25, 0.25]
    assert np.abs(evaluate(f, x) - evaluate(g, x)).max() <= value


def test_merging_keeps_to_the_error_asked_for_with_fewer_neurons() -> None:
    f, _ = nets(1, 0.8)
    small = merged_to(f, 1e-2, 2, 0)
    x = uniform(12000, 2, 0).numpy()
    assert np.abs(evaluate(small, x) - evaluate(f, x)).max() <= 1e-2
    assert sum(widths(small)) < sum(widths(f))
    student, error = fitted(f, small, 2, 20.0, 1e-3, 0)
    assert error <= 1e-3
    assert widths(student) == widths(small)
    assert all((a != b).any() for (a, _), (b, _) in zip(student, small, strict=True))


def test_a_network_is_trained_to_the_error_asked_for() -> None:
    net, error = fit(plain([2, 24, 24, 1], 0), field, 2, 60.0, 3e-2, 0)
    x = uniform(4000, 2, 99)
    off = evaluate(net, x.numpy()) - field(x).numpy()
    assert error <= 3e-2
    assert np.sqrt((off**2).mean() / (field(x).numpy() ** 2).mean()) == pytest.approx(error, rel=0.3)
