"""A compressed network follows one that drifted: what holds stays bit for bit, the total is proved again."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import BudgetError, InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from support.operators import cube, kernel, operator, points
from support.small_nets import plain
from torch import nn

import edgepde
from edgepde.certify.network import Affine, Blocks
from edgepde.compress import Compressed
from edgepde.compress.blocked import Formed, Placed, blocked, placed
from edgepde.compress.unpacking import unpacked
from edgepde.hmatrix.clusters import from_points
from edgepde.hmatrix.compressing import compress
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HMatrix
from edgepde.hmatrix.layer import HLinear
from edgepde.network.module import NetworkModule
from edgepde.network.reading import read_module

N = 200
AT = points(N)
BOX = Box([-1.0, 0.0], [1.0, 0.3], ["x", "t"])


@cache
def old() -> Compressed:
    return edgepde.compress(operator(kernel(AT)), domain=cube(N), max_error=1e-2, points=AT, seconds=20.0)


def matrices(made: Compressed) -> HMatrix:
    """The blocks of a compressed operator."""
    assert isinstance(made.module, NetworkModule)
    ((place, at),) = made.blocks.items()
    node = made.module.network().nodes[at.node]
    assert isinstance(node, Blocks)
    reference = read_module(made.reference, cube(N)).network.nodes[place]
    return unpacked(node, at, reference.weight.numpy(), "float32", "here")  # type: ignore[attr-defined]


def exact(made: Compressed) -> float:
    """sup |f - h| over the cube, in float64."""
    assert isinstance(made.module, NetworkModule)
    h, eye = made.module.network(), torch.eye(N, dtype=torch.float64)
    none = torch.zeros(1, N, dtype=torch.float64)
    change = made.reference.weight.detach().double() - (h(eye) - h(none)).T
    return float((change.abs().sum(dim=1) + h(none)[0].abs()).max())


def test_a_local_change_keeps_most_blocks_bit_for_bit_and_holds_the_error() -> None:
    new = edgepde.compress(operator(kernel(AT, 0.5)), domain=cube(N), previous=old(), seconds=10.0)
    part = new.ledger["update"]["parts"]["node1"]
    assert 0 < part["changed"] < part["kept"]
    assert new.ledger["error"]["value"] <= 1e-2
    assert new.ledger["max_error"] == "0.01"
    assert exact(new) <= new.ledger["error"]["compression"]
    before = {(b.rows, b.columns): b for b in matrices(old()).blocks}
    same = [
        np.array_equal(b.dense(), before[b.rows, b.columns].dense()) and b.rank == before[b.rows, b.columns].rank
        for b in matrices(new).blocks
        if (b.rows, b.columns) in before
    ]
    assert sum(same) >= part["kept"]
    assert all(entry["why"] for entry in new.ledger["parts"])


def test_nothing_changes_where_nothing_changed() -> None:
    new = edgepde.compress(operator(kernel(AT)), domain=cube(N), previous=old(), seconds=10.0)
    assert new.ledger["update"]["parts"]["node1"]["changed"] == 0
    for a, b in zip(new.module.parameters(), old().module.parameters(), strict=True):
        assert torch.equal(a, b)


def test_another_matrix_is_compressed_anew_or_fully_rebuilt_and_says_so() -> None:
    rng = np.random.default_rng(3)
    wild = operator(kernel(rng.permutation(AT)) * 3.0)
    new = edgepde.compress(wild, domain=cube(N), previous=old(), max_error=5e-2, seconds=10.0)
    update = new.ledger["update"]
    assert "compressed anew" in update["outcome"] or update["parts"]["node1"]["changed"] > 0
    assert exact(new) <= new.ledger["error"]["compression"] <= 5e-2


def test_an_updated_network_can_be_updated_again() -> None:
    first = edgepde.compress(operator(kernel(AT, 0.3)), domain=cube(N), previous=old(), seconds=10.0)
    second = edgepde.compress(operator(kernel(AT, 0.6)), domain=cube(N), previous=first, seconds=10.0)
    assert exact(second) <= second.ledger["error"]["compression"] <= 1e-2


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.integers(40, 120), st.integers(40, 120), st.sampled_from([1e-1, 1e-2, 1e-4]))
def test_blocks_come_back_number_for_number(seed: int, m: int, n: int, eps: float) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = rng.random((m, 2)), rng.random((n, 2))
    matrix = np.exp(-np.linalg.norm(rows[:, None] - columns[None], axis=2) / 0.3)
    trees = from_points(rows, 16), from_points(columns, 16)
    for half in (False, True):
        made = compress(matrix, HConfig(eps=eps, leaf=16), *trees, half=half)
        if made.is_dense:
            continue
        formed = Formed(made, torch.zeros(m, dtype=torch.float64))
        node = Blocks((0,), formed.parts, formed.bias)
        at = Placed(1, made.row_order, made.column_order, 16)
        back = unpacked(node, at, matrix, "float32", "here")
        assert np.array_equal(back.in_cluster_order(), made.in_cluster_order())
        assert back.error == pytest.approx(made.error)
        assert back.nbytes == made.nbytes
        for a, b in zip(Formed(back, formed.bias).parts, formed.parts, strict=True):
            assert all(np.array_equal(x, y) and x.dtype == y.dtype for x, y in zip(a.arrays, b.arrays, strict=True))


def test_blocks_of_other_clusters_are_refused() -> None:
    made = compress(kernel(AT), HConfig(eps=1e-2, leaf=16), from_points(AT, 16), from_points(AT, 16))
    node = Blocks((0,), made.packed(), torch.zeros(N, dtype=torch.float64))
    with pytest.raises(InputError, match=r"here: its blocks are not those of clusters of at most 50"):
        unpacked(node, Placed(1, made.row_order, made.column_order, 50), kernel(AT), "float32", "here")


class TestNetworks:
    """Layers with functions in between."""

    @staticmethod
    def wide(drift: float = 0.0) -> nn.Module:
        made = plain(width=80)
        draw = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for p in made.parameters():
                p.mul_(1.0 + drift * torch.randn(p.shape, generator=draw))
        return made

    @classmethod
    @cache
    def small(cls) -> Compressed:
        return edgepde.compress(cls.wide(), domain=BOX, max_error=1e-2, method="hmatrix", seconds=8.0)

    @pytest.mark.parametrize("drift", [1e-4, 0.3])
    def test_follows(self, drift: float) -> None:
        new = edgepde.compress(self.wide(drift), domain=BOX, previous=self.small(), seconds=8.0)
        assert new.ledger["error"]["value"] <= 1e-2
        x = torch.from_numpy(BOX.sample(2000, np.random.default_rng(0)))
        f, h = (read_module(m, BOX).network for m in (new.reference, new.module))
        assert float((f(x) - h(x)).abs().max()) <= new.ledger["error"]["compression"]
        if drift < 1e-3:
            assert all(part["changed"] == 0 for part in new.ledger["update"]["parts"].values())

    def test_another_architecture(self) -> None:
        with pytest.raises(InputError, match=r"--from the old network: node 1: expected Affine \[80, 2\].*\[12, 2\]"):
            edgepde.compress(plain(), domain=BOX, previous=self.small())
        with pytest.raises(InputError, match=r"node 2: expected Pointwise tanh as there, got Pointwise relu"):
            edgepde.compress(plain(nn.ReLU, width=80), domain=BOX, previous=self.small())
        with pytest.raises(InputError, match="expected its 6 nodes, got 2"):
            edgepde.compress(nn.Linear(2, 1), domain=BOX, previous=self.small())
        with pytest.raises(InputError, match="--from the old network: domain: the box has 3 columns"):
            edgepde.compress(nn.Linear(3, 1), domain=cube(3), previous=self.small())

    def test_without_blocks(self) -> None:
        merged = edgepde.compress(plain(), domain=BOX, max_error=1e-2, method="merge", seconds=3.0)
        with pytest.raises(InputError, match=r"expected layers as blocks \(form hmatrix\), it has none"):
            edgepde.compress(plain(), domain=BOX, previous=merged)


def test_an_error_is_needed() -> None:
    with pytest.raises(BudgetError, match="--max-error E is missing"):
        edgepde.compress(plain(), domain=BOX)


def test_where_affine_maps_are_is_told() -> None:
    made = compress(kernel(AT), HConfig(eps=1e-2), from_points(AT), from_points(AT))
    network = read_module(operator(kernel(AT)), cube(N)).network
    formed = {1: Formed(made, torch.zeros(N, dtype=torch.float64))}
    h = blocked(network, formed)
    (at,) = placed(h, formed, network).values()
    assert isinstance(h.nodes[at.node], Blocks)
    assert np.array_equal(at.rows, made.row_order)
    x = torch.randn(5, N, dtype=torch.float64)
    torch.testing.assert_close(h(x), x @ torch.from_numpy(made.dense()).T)


def test_blocks_that_were_there_before_are_not_taken_for_new_ones() -> None:
    made = compress(kernel(AT), HConfig(eps=1e-2), from_points(AT), from_points(AT))
    net = nn.Sequential(HLinear(N, N, HConfig(leaf=8)), operator(kernel(AT)))
    network = read_module(net, cube(N)).network
    (place,) = (i for i, node in enumerate(network.nodes) if isinstance(node, Affine))
    formed = {place: Formed(made, torch.zeros(N, dtype=torch.float64))}
    h = blocked(network, formed)
    (at,) = placed(h, formed, network).values()
    node = h.nodes[at.node]
    assert isinstance(node, Blocks)
    assert sum(part.numbers for part in node.parts) == made.numbers
    assert placed(network, {}, network) == {}
