"""Bounds on a GPU: as sound and as near as on the CPU, whatever is bounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from support.certified_pairs import layers, merged, narrower, network, perturbed

from edgepde.certify.engine import bound_difference, bound_range
from edgepde.certify.family import Family
from edgepde.certify.rounding import bound_rounding
from edgepde.certify.sensor import Accuracy, bound_sensitivity

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU")
BOX = Box([-1.0, -1.0], [1.0, 1.0])
FAMILY = Family(np.zeros(20), np.random.default_rng(1).normal(size=(2, 20)), [-0.2, -0.2], [0.2, 0.2], 1e-6)


def both(bound: Callable[[str], Any]) -> tuple[Any, Any]:
    return bound("cpu"), bound("cuda")


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("change", [perturbed, merged, narrower])
@pytest.mark.parametrize("where", [BOX, FAMILY], ids=["box", "family"])
def test_differences(change: Callable[..., Any], where: Box | Family) -> None:
    rng = np.random.default_rng(0)
    net = layers(rng, [where.dimension, 16, 16, 2], 1.0)
    f, g = network(net), network(change(net, rng, 1e-3))
    here, there = both(lambda device: bound_difference(f, g, where, seconds=600.0, boxes=20_000, device=device))
    assert there.how == here.how
    assert there.value == pytest.approx(here.value, rel=0.1)
    assert there.found == pytest.approx(here.found, rel=0.1)
    assert (there.value >= here.found).all()


@pytest.mark.gpu
@needs_gpu
def test_many_columns_and_ranges() -> None:
    rng = np.random.default_rng(0)
    net = layers(rng, [30, 16, 1], 1.0)
    f, g, box = network(net), network(perturbed(net, rng, 1e-4)), Box([-1.0] * 30, [1.0] * 30)
    here, there = both(lambda device: bound_difference(f, g, box, boxes=64, device=device))
    assert there.value == pytest.approx(here.value, rel=0.3)
    low, high = both(lambda device: bound_range(f, box, boxes=16, device=device))
    assert low.high == pytest.approx(high.high, rel=0.1)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("where", [BOX, FAMILY], ids=["box", "family"])
def test_rounding(where: Box | Family) -> None:
    net = [
        (w.astype(np.float32).astype(np.float64), b.astype(np.float32).astype(np.float64))
        for w, b in layers(np.random.default_rng(0), [where.dimension, 16, 1], 1.0)
    ]
    here, there = both(lambda device: bound_rounding(network(net), where, seconds=600.0, boxes=4000, device=device))
    assert there.rounding == pytest.approx(here.rounding, rel=0.2)
    assert there.activation == pytest.approx(here.activation, rel=0.2)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("size", [1e-4, 0.05])
def test_inexact_inputs(size: float) -> None:
    f = network(layers(np.random.default_rng(0), [2, 16, 1], 1.0))
    given = {"x0": Accuracy(size), "x1": Accuracy(size, relative=True)}
    here, there = both(lambda device: bound_sensitivity(f, BOX, given, seconds=600.0, boxes=20_000, device=device))
    assert there.how == here.how
    assert there.value == pytest.approx(here.value, rel=0.15)
