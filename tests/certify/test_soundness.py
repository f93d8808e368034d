"""No point of a box may exceed its bound: random and adversarial points, networks chosen to hurt.

EDGEPDE_SOUNDNESS multiplies the number of networks and points.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from support.certified_pairs import network, pair
from support.soundness import KINDS, adversarial, difference, inside

from edgepde.certify.attack import attack
from edgepde.certify.engine import bound_difference, bound_range

MORE = int(os.environ.get("EDGEPDE_SOUNDNESS", "1"))
NETWORKS, POINTS = 120 * MORE, 48 * MORE
FEWER = {"enclosures": 1, "families": 3, "sensor": 6, "rounding": 3}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", range(0, NETWORKS, 20))
def test_no_point_exceeds_its_bound(first: int, kind: str) -> None:
    tried = [KINDS[kind](seed, POINTS) for seed in range(first, first + 20, FEWER[kind])]
    wrong = [w for one in tried for w in one.wrong]
    assert sum(one.points for one in tried) > 0
    assert not wrong, wrong[:5]


@pytest.mark.parametrize("first", range(0, 18 * MORE, 6))
def test_no_point_climbed_to_exceeds_its_bound(first: int) -> None:
    wrong = [w for seed in range(first, first + 6) for w in adversarial(seed).wrong]
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
    x = inside(low, high, np.random.default_rng(seed), POINTS).numpy()
    held = (x[:, None] >= made.low) & (x[:, None] <= made.high)
    assert held.all(axis=2).any(axis=1).all(), "the boxes cover the domain"


@pytest.mark.parametrize("seed", range(6))
def test_the_range_holds(seed: int) -> None:
    one = pair(seed)
    made = bound_range(one.f, one.box, seconds=600.0, boxes=64)
    low, high = (torch.tensor(side, dtype=torch.float64) for side in (one.box.low, one.box.high))
    values = one.f(inside(low, high, np.random.default_rng(seed), POINTS)).numpy()
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
