"""The layer that costs most is named."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime.box import Box
from support.certified_pairs import layers, merged, narrower, network

from edgepde.certify.blame import costs, rounding_costs
from edgepde.certify.family import Family
from edgepde.certify.network import Affine, Scale
from edgepde.certify.rounding import Arithmetic, bound_rounding

BOX = Box([-1.0, -1.0], [1.0, 1.0])


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_layer_that_was_changed_is_named(layer: int) -> None:
    net = layers(np.random.default_rng(0), [2, 12, 12, 2], 1.0)
    changed = list(net)
    changed[layer] = (changed[layer][0] * 1.01, changed[layer][1])
    g = network(changed)
    made = costs(network(net), g, BOX)
    assert made[0].place == [p for p, n in enumerate(g.nodes) if isinstance(n, Affine)][layer]
    assert (made[0].value > 1e-4).all()
    assert all((cost.value == 0.0).all() for cost in made[1:])


def test_merged_layers_are_compared_in_the_places_of_the_larger_network() -> None:
    rng = np.random.default_rng(1)
    net = layers(rng, [2, 12, 12, 1], 1.0)
    made = costs(network(net), network(merged(net, rng, 0.0)), BOX)
    assert len(made) == 3
    assert made[-1].place == 1, "the first layer lost a neuron that the second would have to miss"
    assert made[0].value[0] > 1e-3


def test_other_structures_name_none() -> None:
    rng = np.random.default_rng(1)
    net = layers(rng, [2, 6, 6, 1], 1.0)
    assert costs(network(net), network(narrower(net[:1] + net[2:], rng, 0.0)), BOX) == []


def test_rounding_names_the_widest_sum_and_adds_up() -> None:
    rng = np.random.default_rng(2)
    net = [tuple(v.astype(np.float32).astype(float) for v in layer) for layer in layers(rng, [2, 8, 8, 1], 1.0)]
    net[1] = (net[1][0] * 8.0, net[1][1] * 8.0)
    g = network(net)
    for how in (Arithmetic(), Arithmetic(order="any")):
        made = rounding_costs(g, BOX, how)
        assert made[0].place == 3
        assert isinstance(g.nodes[3], Affine | Scale)
        whole = bound_rounding(g, BOX, how, boxes=4000)
        total = sum(float(cost.value[0]) for cost in made)
        assert total >= 0.7 * float(whole.at_points.sum())
        assert max(float(cost.value[0]) for cost in made) <= float(whole.rounding[0] + whole.activation[0])


def test_families_too() -> None:
    rng = np.random.default_rng(3)
    net = [tuple(v.astype(np.float32).astype(float) for v in layer) for layer in layers(rng, [20, 8, 1], 1.0)]
    of = Family(np.zeros(20), rng.normal(size=(2, 20)), [-1.0, -1.0], [1.0, 1.0], 1e-6)
    changed = [net[0], (net[1][0] + 1e-3, net[1][1])]
    assert costs(network(net), network(changed), of)[0].place == 3
    assert {c.place for c in rounding_costs(network(net), of)} == {1, 2, 3}
