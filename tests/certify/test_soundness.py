"""No point of a box may exceed its bound: random and adversarial points, networks chosen to hurt.

EDGEPDE_SOUNDNESS multiplies the number of networks and points.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from support.certified_pairs import Pair, network, pair
from support.longer import evaluate

from edgepde.certify import propagate
from edgepde.certify.align import aligned
from edgepde.certify.attack import attack
from edgepde.certify.engine import bound_difference, bound_range

MORE = int(os.environ.get("EDGEPDE_SOUNDNESS", "1"))
NETWORKS, POINTS = 120 * MORE, 48 * MORE
BOXES = 24


def sub_boxes(box: Box, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes of every size inside, points among them, the whole box first."""
    low, high = np.asarray(box.low), np.asarray(box.high)
    size = (high - low) * 10.0 ** rng.uniform(-4.0, 0.0, (BOXES, 1)) * rng.uniform(0.1, 1.0, (BOXES, len(low)))
    size[-1] = 0.0
    start = low + rng.random((BOXES, len(low))) * (high - low - size)
    start[0], size[0] = low, high - low
    return torch.from_numpy(start), torch.from_numpy(np.minimum(start + size, high))


def inside(low: torch.Tensor, high: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Points [n, d] of one box, corners among them."""
    share = torch.from_numpy(rng.random((POINTS, len(low))))
    share[::4] = share[::4].round()
    return torch.minimum(low + share * (high - low), high)


def difference(one: Pair, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """f - g in longer arithmetic and how far that may be off, so that its own rounding is no violation."""
    (f, off_f), (g, off_g) = evaluate(one.f, x), evaluate(one.g, x)
    return f - g, off_f + off_g


def violations(one: Pair, rng: np.random.Generator) -> list[str]:
    """What of enclosures and truth disagrees, over all ways to analyse."""
    low, high = sub_boxes(one.box, rng)
    points = [inside(a, b, rng) for a, b in zip(low, high, strict=True)]
    truth = [difference(one, x.numpy()) for x in points]
    scale = torch.ones(one.f.outputs, dtype=torch.float64)
    ways = {"apart": propagate.apart(one.f, one.g, low, high, scale)}
    twin = one.g if propagate.alike(one.f, one.g) else aligned(one.f, one.g, points[0])
    if twin is not None:
        ways["pair"] = propagate.difference(one.f, twin, low, high, scale)
    wrong = []
    for name, made in ways.items():
        least, most = (side.numpy() for side in made.low_high())
        for i, (values, slack) in enumerate(truth):
            off = np.maximum(least[i] - values, values - most[i]) - slack
            if (off > 0.0).any():
                wrong.append(f"{one.name}: {name} box {i} by {float(off.max()):.3g}")
    return wrong


@pytest.mark.parametrize("first", range(0, NETWORKS, 20))
def test_no_point_exceeds_its_box(first: int) -> None:
    rng = np.random.default_rng(first)
    wrong = [w for seed in range(first, first + 20) for w in violations(pair(seed), rng)]
    assert not wrong, wrong[:5]


@pytest.mark.parametrize("seed", range(0, 12 * MORE))
def test_the_bound_holds_against_an_attack_and_for_the_boxes_it_names(seed: int) -> None:
    one = pair(seed)
    made = bound_difference(one.f, one.g, one.box, seconds=600.0, boxes=400)
    low, high = (torch.tensor(side, dtype=torch.float64) for side in (one.box.low, one.box.high))
    found = attack(lambda x: one.f(x) - one.g(x), low, high, seed=seed + 1)
    truth, slack = difference(one, found.points.numpy())
    assert (np.abs(truth.diagonal()) - slack.diagonal() <= made.value).all(), one.name
    assert (made.found <= made.value).all()
    x = inside(low, high, np.random.default_rng(seed)).numpy()
    held = (x[:, None] >= made.low) & (x[:, None] <= made.high)
    assert held.all(axis=2).any(axis=1).all(), "the boxes cover the domain"


@pytest.mark.parametrize("seed", range(6))
def test_the_range_holds(seed: int) -> None:
    one = pair(seed)
    made = bound_range(one.f, one.box, seconds=600.0, boxes=64)
    low, high = (torch.tensor(side, dtype=torch.float64) for side in (one.box.low, one.box.high))
    values = one.f(inside(low, high, np.random.default_rng(seed))).numpy()
    assert (values >= made.low - 1e-12).all()
    assert (values <= made.high + 1e-12).all()


def test_a_stopped_search_still_bounds() -> None:
    one = pair(1)
    tight = bound_difference(one.f, one.g, one.box, seconds=600.0, boxes=20_000)
    loose = bound_difference(one.f, one.g, one.box, boxes=1)
    assert loose.boxes == 1
    assert (loose.value >= tight.found).all()


def test_equal_networks_differ_by_nothing() -> None:
    f = network([(np.ones((4, 2)), np.ones(4)), (np.ones((1, 4)), np.zeros(1))])
    made = bound_difference(f, f, Box([-1.0, -1.0], [1.0, 1.0]))
    assert made.value[0] == 0.0
    assert made.proved
