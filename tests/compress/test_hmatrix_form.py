"""Layers of networks as blocks: exact where the layer is, near what is expected, ordered and counted as stated."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_nets import Residual, plain
from torch import nn

import edgepde
from edgepde.certify.network import Affine, Blocks, Gather, Input, Network, Pointwise, Product, Scale, Sum, mlp
from edgepde.compress import forms
from edgepde.compress.aware import Aware
from edgepde.compress.blocked import Formed, blocked, gathers
from edgepde.compress.forms._prepared import How, Prepared
from edgepde.compress.geometry import Geometry
from edgepde.hmatrix.clusters import from_points
from edgepde.hmatrix.compressing import compress
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HMatrix
from edgepde.network.module import NetworkModule
from edgepde.network.reading import read_module

BOX = Box([-1.0, 0.0], [1.0, 0.3], ["x", "t"])
W = 72


def points(count: int = 600) -> torch.Tensor:
    return torch.from_numpy(BOX.sample(count, np.random.default_rng(1)))


def banded(width: int = W, seed: int = 0) -> Network:
    """A tanh network whose hidden matrix is smooth away from its diagonal, its neurons shuffled."""
    rng = np.random.default_rng(seed)
    at = np.linspace(-1.0, 1.0, width)
    first = np.stack([2.0 + 6.0 * at, 0.3 * np.ones(width)], axis=1)
    hidden = np.sign(at[:, None] - at[None]) * 0.5 / (np.abs(at[:, None] - at[None]) + 0.05) / width
    order = rng.permutation(width)
    weights = [first[order], hidden[np.ix_(order, order)], rng.normal(size=(1, width)) / width]
    return mlp(weights, [rng.normal(size=len(w)) for w in weights], ["tanh", "tanh"])


def prepared(network: Network, each: int = 8) -> Prepared:
    return forms.prepared("hmatrix", network, points(), How(each))


def test_options_shrink_and_their_errors_are_near_what_comes() -> None:
    network, x = banded(), points(2000)
    form = prepared(network)
    (part,) = form.parts
    sizes = [form.size([option]) for option in range(len(part.errors))]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes) > 8
    for option in range(1, len(sizes), 4):
        came = float(((form.apply([option], x)(x) - network(x)) ** 2).mean().sqrt())
        assert came < 10.0 * part.errors[option] + 1e-9


def test_every_byte_is_counted() -> None:
    network = banded()
    for each, dtype in ((4, torch.float32), (8, torch.float64)):
        form = prepared(network, each)
        for option in range(0, len(form.parts[0].errors), 6):
            module = NetworkModule(form.apply([option], points()), dtype=dtype)
            assert form.size([option]) == sum(t.numel() * t.element_size() for t in module.state_dict().values())


def test_hidden_neurons_need_no_permutation() -> None:
    made = prepared(banded()).apply([5], points())
    assert sum(isinstance(node, Blocks) for node in made.nodes) == 1
    assert not gathers(made)
    assert not any(isinstance(node, Gather) for node in made.nodes)


def test_small_layers_say_that_they_are() -> None:
    form = prepared(read_module(plain(), BOX).network)
    assert form.parts == []
    assert form.refused()[3] == "12 x 12 is too small to gain as blocks"


def test_a_network_is_compressed_and_proved_in_this_form() -> None:
    network = banded()
    module = NetworkModule(network, dtype=torch.float32)
    made = edgepde.compress(module, domain=BOX, max_error=1e-2, method="hmatrix", seconds=8.0)
    parts = {part["part"]: part for part in made.ledger["parts"]}
    assert parts["node3"]["form"].startswith("hmatrix")
    assert parts["node3"]["bytes_after"] < parts["node3"]["bytes_before"]
    assert "too small to gain" in parts["node1"]["why"]
    x = points(3000)
    f, h = (read_module(m, BOX).network for m in (made.reference, made.module))
    assert float((f(x) - h(x)).abs().max()) <= made.ledger["error"]["compression"] <= 1e-2
    assert {entry["form"] for entry in made.ledger["tried"]} == {"hmatrix"}


def test_what_it_competes_with_is_in_the_ledger_with_its_size() -> None:
    module = NetworkModule(banded(), dtype=torch.float32)
    made = edgepde.compress(module, domain=BOX, max_error=1e-2, seconds=8.0)
    losers = [entry for entry in made.ledger["tried"] if "larger than" in entry["outcome"]]
    assert losers
    assert all(entry["bytes"] >= made.ledger["total"]["bytes_after"] for entry in losers)


def test_points_of_outputs_order_the_last_layer() -> None:
    rng = np.random.default_rng(0)
    at = rng.random((90, 1))
    weights = [rng.normal(size=(80, 2)), np.exp(-((at - rng.random((1, 80))) ** 2) / 1e-2)]
    network = mlp(weights, [np.zeros(80), np.zeros(90)], ["tanh"])
    form = forms.prepared("hmatrix", network, points(), How(8, Geometry(rows=at)))
    (formed,) = form.chosen([1]).values()
    assert np.array_equal(formed.matrix.row_order, from_points(at).order)


class TestAware:
    """The partition for a multiplier."""

    @staticmethod
    def made(n: int = 64) -> Aware:
        rng = np.random.default_rng(0)
        at = rng.random((n, 1))
        matrix = 1.0 / (np.abs(at - at.T) + 0.05)
        moments = np.diag(rng.random(n) + 0.5), np.diag(rng.random(n) + 0.5)
        return Aware(matrix, moments, (from_points(at, 16), from_points(at, 16)), 8)

    def test_larger_multipliers_lose_less_and_store_more(self) -> None:
        aware = self.made()
        found = [aware.at(aware.multiplier(share)) for share in (1e-1, 1e-2, 1e-3, 1e-5)]
        errors, sizes = [m.error for m in found], [m.nbytes for m in found]
        assert errors == sorted(errors, reverse=True)
        assert sizes == sorted(sizes)

    def test_no_other_choice_costs_less(self) -> None:
        """Against one low-rank block of any rank, whole or halved, and against dense."""
        aware = self.made()
        for share in (1e-1, 1e-3):
            multiplier = aware.multiplier(share)
            made = aware.at(multiplier)
            cost = made.nbytes + multiplier * self.weighed(aware, made) ** 2
            singular = aware.held[0][2]
            for rank in range(len(singular)):
                single = 8 * 128 * rank + multiplier * float((singular[rank:] ** 2).sum())
                assert cost <= single * (1 + 1e-9)
            assert cost <= 8 * 64 * 64 * (1 + 1e-9)

    def test_errors_are_true(self) -> None:
        aware = self.made()
        made = aware.at(aware.multiplier(1e-2))
        assert made.error == pytest.approx(float(np.linalg.norm(aware.weight - made.in_cluster_order())))

    @staticmethod
    def weighed(aware: Aware, made: HMatrix) -> float:
        """With moments that are diagonal the blocks' errors add up."""
        lost = aware.weight - made.in_cluster_order()
        return float(
            np.linalg.norm(np.sqrt(np.diag(aware.moments[0]))[:, None] * lost * np.sqrt(np.diag(aware.moments[1])))
        )


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 3))
def test_blocks_are_the_same_function_wherever_they_stand(seed: int, shape: int) -> None:
    """Scales, functions, skips, products and other blocks around: orders are taken over or restored."""
    rng = np.random.default_rng(seed)
    n = 40
    at = rng.random((n, 1))
    matrix = 1.0 / (np.abs(at - at.T) + 0.05) / n
    trees = from_points(at, 8), from_points(at, 8)
    made = compress(matrix, HConfig(eps=1e-3, leaf=8), *trees)
    zero, some = torch.zeros(n, dtype=torch.float64), torch.from_numpy(rng.normal(size=n))
    weight, first = torch.from_numpy(made.dense()), torch.from_numpy(rng.normal(size=(n, 2)))
    head = (Input(2), Affine((0,), first, some), Scale((1,), some, some), Pointwise((2,), "tanh"))
    tails = (
        (Affine((3,), weight, some),),
        (
            Affine((3,), weight, some),
            Pointwise((4,), "tanh"),
            Affine((5,), weight, zero),
            Affine((6,), first.T, some[:2]),
        ),
        (Affine((3,), weight, some), Pointwise((4,), "tanh"), Sum((3, 5)), Affine((6,), first.T, some[:2])),
        (Affine((3,), weight, some), Scale((4,), some, zero), Product((5, 3))),
    )
    network = Network((*head, *tails[shape]))
    maps = [p for p, node in enumerate(network.nodes) if isinstance(node, Affine) and node.weight is weight]
    formed = {p: Formed(made, network.nodes[p].bias) for p in maps}  # type: ignore[attr-defined]
    x = torch.from_numpy(rng.normal(size=(20, 2)))
    torch.testing.assert_close(blocked(network, formed)(x), network(x), rtol=1e-9, atol=1e-9)


def test_a_skip_is_compressed_too() -> None:
    class Wide(Residual):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(2, W), nn.Linear(W, 1)
            self.inner, self.back = nn.Linear(W, W), nn.Linear(W, W)

    torch.manual_seed(0)
    made = edgepde.compress(Wide(), domain=BOX, max_error=2e-2, method="hmatrix", seconds=6.0)
    assert made.ledger["error"]["value"] <= 2e-2
