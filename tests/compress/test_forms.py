"""Forms are exact where there is something to be had for nothing, and say what they store."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_nets import Gated, Residual, Shared, plain, seeded
from torch import nn

from edgepde.certify.network import Affine, Network, Pointwise, mlp
from edgepde.compress import forms
from edgepde.compress.adjoint import adjoints
from edgepde.compress.forms._prepared import How, Prepared
from edgepde.compress.joints import layout
from edgepde.network.module import NetworkModule
from edgepde.network.reading import read_module

BOX = Box([-1.0, -1.0], [1.0, 1.0])


def read(module: nn.Module) -> Network:
    return read_module(module, BOX).network


def stored(network: Network) -> int:
    module = NetworkModule(network, dtype=torch.float64)
    indices = [b for b in module.buffers() if b.numel()]
    return sum(t.numel() * t.element_size() for t in (*module.parameters(), *indices))


def prepared(name: str, network: Network, x: torch.Tensor) -> Prepared:
    return forms.prepared(name, network, x, How(8))


def points(count: int = 400) -> torch.Tensor:
    return 2.0 * torch.rand(count, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 1.0


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(1, 4), st.sampled_from(["tanh", "sin", "relu", "gelu"]))
def test_neurons_that_repeat_others_are_merged_without_error(seed: int, kept: int, copies: int, act: str) -> None:
    rng = np.random.default_rng(seed)
    first, bias = rng.normal(size=(kept, 2)), rng.normal(size=kept)
    again = rng.integers(0, kept, copies)
    hidden = np.vstack([first, first[again]]), np.concatenate([bias, bias[again]])
    last = rng.normal(size=(2, kept + copies))
    network = mlp([hidden[0], last], [hidden[1], np.zeros(2)], [act])
    x = points()
    made = prepared("merge", network, x).apply([copies], x)
    assert made.widths[1] == kept
    torch.testing.assert_close(made(x), network(x), rtol=1e-8, atol=1e-8)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_a_matrix_of_low_rank_is_factored_without_error(seed: int, rank: int) -> None:
    rng = np.random.default_rng(seed)
    thin = rng.normal(size=(12, rank)) @ rng.normal(size=(rank, 12))
    weights = [rng.normal(size=(12, 2)), thin, rng.normal(size=(1, 12))]
    network = mlp(weights, [rng.normal(size=n) for n in (12, 12, 1)], ["tanh", "tanh"])
    x = points()
    form = prepared("low-rank", network, x)
    parts = form.parts
    place = [part.name for part in parts].index("3")
    ranks = list(range(143 // 24, 0, -1))
    options = [0] * len(parts)
    options[place] = 1 + ranks.index(rank)
    assert parts[place].errors[options[place]] < 1e-4
    made = form.apply(options, x)
    torch.testing.assert_close(made(x), network(x), rtol=1e-5, atol=1e-5)
    assert stored(made) == form.size(options) < stored(network)


@pytest.mark.parametrize("name", forms.names())
@pytest.mark.parametrize("module", [plain(), plain(nn.ReLU), seeded(Residual), seeded(Gated), seeded(Shared)])
def test_a_form_stores_what_it_says_at_every_option(name: str, module: nn.Module) -> None:
    network, x = read(module), points()
    form = prepared(name, network, x)
    for share in (0.0, 0.3, 0.7, 1.0):
        options = [round(share * (len(part.errors) - 1)) for part in form.parts]
        made = form.apply(options, x)
        assert stored(made) == form.size(options)
        changed = form.described(options)
        maps = {p: n for p, n in enumerate(network.nodes) if isinstance(n, Affine)}
        before = {p: 8 * (n.weight.numel() + n.bias.numel()) for p, n in maps.items()}
        less = sum(before[place] - after for place, (_, after) in changed.items())
        assert stored(network) - stored(made) == less


@pytest.mark.parametrize("name", forms.names())
def test_errors_that_are_expected_grow_with_the_option_and_are_near_what_comes(name: str) -> None:
    network, x = read(plain(width=16)), points(2000)
    form = prepared(name, network, x)
    for at, part in enumerate(form.parts):
        assert list(part.errors) == sorted(part.errors)
        option = len(part.errors) // 2
        options = [option if i == at else 0 for i in range(len(form.parts))]
        came = float(((form.apply(options, x)(x) - network(x)) ** 2).mean().sqrt())
        assert came < 10.0 * part.errors[option] + 1e-9


def test_adjoints_are_the_slopes_of_the_output() -> None:
    network, x = read(plain(outputs=2)), points(5)
    _, slopes = adjoints(network, x)
    step = 1e-6
    node = network.nodes[1]
    assert isinstance(node, Affine)
    moved = Affine(node.sources, node.weight, node.bias + step * torch.eye(12, dtype=torch.float64)[3])
    other = Network((network.nodes[0], moved, *network.nodes[2:]))
    torch.testing.assert_close((other(x) - network(x)) / step, slopes[1][:, :, 3].T, rtol=1e-4, atol=1e-4)


class TestLayout:
    """Where neurons can be merged, and why not elsewhere."""

    def test_a_chain_has_a_joint_per_hidden_layer(self) -> None:
        found = layout(read(plain()))
        assert [(j.before, j.after) for j in found.joints] == [(1, 3), (3, 5)]
        assert found.kept == {5: "it is the output"}

    def test_a_skip_stays(self) -> None:
        found = layout(read(seeded(Residual)))
        assert len(found.joints) == 1
        assert any("skip or a fork" in why for why in found.kept.values())

    def test_a_shared_matrix_stays(self) -> None:
        found = layout(read(seeded(Shared)))
        assert not found.joints
        assert sum("shared with another" in why for why in found.kept.values()) == 2
        assert any("shares its matrix" in why for why in found.kept.values())

    def test_a_product_stays(self) -> None:
        found = layout(read(seeded(Gated)))
        assert not found.joints
        assert sum("product" in why for why in found.kept.values()) == 2

    def test_scales_between_are_merged_with_their_neurons(self) -> None:
        class Adaptive(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.first, self.last = nn.Linear(2, 6), nn.Linear(6, 1)
                self.slope = nn.Parameter(torch.linspace(0.5, 2.0, 6))

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                out: torch.Tensor = self.last(torch.tanh(self.slope * self.first(x)) * 2.0)
                return out

        network = read(Adaptive())
        (joint,) = layout(network).joints
        assert any(isinstance(network.nodes[i], Pointwise) for i in joint.inner)
        made = prepared("merge", network, points()).apply([2], points())
        assert set(made.widths[1:-1]) == {4}
