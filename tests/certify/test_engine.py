"""Branch and bound: targets, limits, the choice of the way, smaller networks, progress, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certified_pairs import Layers, layers, merged, narrower, network, perturbed

from edgepde.certify import propagate
from edgepde.certify.align import aligned, paired
from edgepde.certify.engine import MARGIN, bound_difference
from edgepde.certify.network import Affine, Input, Network, Node, Pointwise, tensor

SQUARE = Box([-1.0, -1.0], [1.0, 1.0])


def nets(size: float = 1e-3, outputs: int = 1) -> tuple[Network, Network]:
    rng = np.random.default_rng(0)
    f = layers(rng, [2, 16, 16, outputs], 1.2)
    return network(f), network(perturbed(f, rng, size))


def test_the_bound_comes_within_the_margin_of_what_was_found() -> None:
    f, g = nets()
    made = bound_difference(f, g, SQUARE, seconds=600.0)
    assert made.proved
    assert made.how == "pair"
    assert 1.0 <= made.tightness[0] <= MARGIN * (1.0 + 1e-9)
    at = (f(torch.from_numpy(made.points)) - g(torch.from_numpy(made.points))).abs()
    assert float(at[0, 0]) == pytest.approx(made.found[0], rel=1e-9)


def test_a_target_with_room_is_proved_with_fewer_boxes() -> None:
    f, g = nets()
    tight = bound_difference(f, g, SQUARE, seconds=600.0)
    loose = bound_difference(f, g, SQUARE, target=3.0 * float(tight.found[0]))
    assert loose.proved
    assert loose.value[0] <= 3.0 * tight.found[0]
    assert loose.boxes < tight.boxes


def test_a_target_below_the_truth_is_not_proved_below_it() -> None:
    f, g = nets()
    made = bound_difference(f, g, SQUARE, target=1e-9)
    assert made.value[0] >= made.found[0] > 1e-9
    assert made.finished
    assert not made.proved


def test_a_search_that_is_told_to_stop_returns_what_it_has() -> None:
    f, g = nets()
    asked: list[int] = []
    made = bound_difference(f, g, SQUARE, target=1e-9, seconds=600.0, stop=lambda: bool(asked.append(1)) or True)
    assert asked
    assert not made.proved
    assert np.isfinite(made.value).all()
    assert made.value[0] >= bound_difference(f, g, SQUARE, seconds=600.0).found[0]


@pytest.mark.parametrize("limit", [{"seconds": 0.0}, {"boxes": 1}])
def test_a_limit_leaves_a_bound(limit: dict[str, float]) -> None:
    f, g = nets()
    made = bound_difference(f, g, SQUARE, **limit)  # type: ignore[arg-type]
    assert not made.proved
    assert not made.finished
    assert made.boxes == 1
    assert made.value[0] >= bound_difference(f, g, SQUARE, seconds=600.0).found[0]


def test_equal_networks_need_no_search() -> None:
    f, _ = nets(outputs=2)
    made = bound_difference(f, nets(outputs=2)[0], SQUARE)
    assert (made.how, made.boxes, made.proved) == ("equal", 0, True)
    assert (made.value == 0.0).all()
    assert made.points.shape == (2, 2)
    assert made.per_box.shape == (1, 2)


def test_a_part_of_the_box_has_a_bound_of_its_own() -> None:
    f, g = nets()
    parts = {"left": Box([-1.0, -1.0], [-0.5, -0.5]), "all": SQUARE}
    made = {name: bound_difference(f, g, box, seconds=300.0) for name, box in parts.items()}
    assert made["left"].found[0] <= made["all"].value[0]
    assert made["left"].tightness[0] <= MARGIN * (1.0 + 1e-9)


def test_every_output_has_its_own_bound() -> None:
    f, g = nets(outputs=3)
    made = bound_difference(f, g, SQUARE, seconds=600.0)
    assert made.value.shape == (3,)
    assert (made.tightness <= MARGIN * (1.0 + 1e-9)).all()
    assert made.per_box.shape == (len(made.low), 3)
    assert np.array_equal(made.per_box.max(axis=0), made.value)


def test_the_boxes_fill_the_domain() -> None:
    f, g = nets()
    made = bound_difference(f, g, SQUARE, seconds=600.0)
    assert (made.high - made.low).prod(axis=1).sum() == pytest.approx(4.0, rel=1e-12)


def test_another_structure_is_certified_apart() -> None:
    rng = np.random.default_rng(1)
    f = layers(rng, [2, 8, 8, 1], 1.0)
    made = bound_difference(network(f), network(layers(rng, [2, 5, 1], 1.0)), SQUARE)
    assert made.how == "apart"
    assert made.proved


def test_progress_is_told() -> None:
    f, g = nets()
    seen: list[tuple[float, int]] = []
    made = bound_difference(f, g, SQUARE, progress=lambda ratio, boxes: seen.append((ratio, boxes)))
    assert seen[-1][1] == made.boxes
    assert seen[-1][0] <= 1.0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([merged, narrower, perturbed]))
def test_a_padded_network_is_the_same_network(seed: int, change: type) -> None:
    rng = np.random.default_rng(seed)
    f = layers(rng, [2, 7, 6, 5, 2], 1.3)
    g = network(change(f, rng, 1e-2))
    x = torch.from_numpy(rng.uniform(-1.0, 1.0, (64, 2)))
    twin = aligned(network(f), g, x)
    assert twin is not None
    assert twin.widths == network(f).widths
    assert torch.allclose(twin(x), g(x), rtol=1e-12, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([1, 2, 5]))
def test_matrices_in_two_factors_are_paired(seed: int, fewer: bool, rank: int) -> None:
    rng = np.random.default_rng(seed)
    net = layers(rng, [2, 7, 6, 5, 2], 1.3)
    f, g = network(net), factored(merged(net, rng, 0.0) if fewer else net, rank)
    x = torch.from_numpy(rng.uniform(-1.0, 1.0, (64, 2)))
    pair = paired(f, g, x)
    assert pair is not None
    assert propagate.alike(*pair)
    assert torch.allclose(pair[0](x), f(x), rtol=1e-12, atol=1e-12)
    assert torch.allclose(pair[1](x), g(x), rtol=1e-12, atol=1e-12)
    made = bound_difference(f, g, SQUARE, boxes=200)
    assert (made.value >= (f(x) - g(x)).abs().amax(dim=0).numpy() * (1.0 - 1e-9)).all()


def test_factors_are_certified_as_a_pair() -> None:
    rng = np.random.default_rng(0)
    net = layers(rng, [2, 24, 24, 1], 1.0)
    w, b = net[1]
    u, s, v = np.linalg.svd(w)
    net[1] = ((u * (s * 10.0 ** -np.arange(24))) @ v, b)
    made = bound_difference(network(net), factored(net, 4), SQUARE, seconds=600.0)
    assert (made.how, made.proved) == ("pair", True)


def factored(net: Layers, rank: int) -> Network:
    """The hidden matrices in two factors of at most that rank."""
    nodes: list[Node] = [Input(2)]
    for i, (w, b) in enumerate(net):
        u, s, v = np.linalg.svd(w, full_matrices=False)
        if 0 < i < len(net) - 1:
            zero = torch.zeros(len(s[:rank]), dtype=torch.float64)
            nodes.append(Affine((len(nodes) - 1,), tensor(v[:rank]), zero))
            w = u[:, :rank] * s[:rank]  # noqa: PLW2901
        nodes.append(Affine((len(nodes) - 1,), tensor(w), tensor(b)))
        if i < len(net) - 1:
            nodes.append(Pointwise((len(nodes) - 1,), "tanh"))
    return Network(tuple(nodes))


def test_what_does_not_fit_is_refused() -> None:
    f, g = nets()
    with pytest.raises(InputError, match="expected 1 inputs"):
        bound_difference(f, g, Box([0.0], [1.0]))
    with pytest.raises(InputError, match="expected 1 outputs"):
        bound_difference(f, nets(outputs=2)[1], SQUARE)
    with pytest.raises(InputError, match="target: expected positive"):
        bound_difference(f, g, SQUARE, target=-1.0)
