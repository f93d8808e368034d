"""Cluster trees: permutations in nested halves, from points, entries and activations; what does not fit."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.hmatrix.block_tree import block_tree
from edgepde.hmatrix.clusters import Cluster, ClusterTree, admissible, from_points, in_order
from edgepde.hmatrix.compressing import compress
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.seriation import cosines, fiedler, from_activations, from_entries

BAD = (np.nan, np.inf, -np.inf)


def check(tree: ClusterTree, n: int, leaf: int) -> None:
    """A permutation, and every cluster the two halves of its parent."""
    assert sorted(tree.order.tolist()) == list(range(n))
    assert tree.root.range == (0, n)
    for cluster in tree.root.walk():
        assert bool(cluster.children) == (cluster.size > leaf)
        if cluster.children:
            first, second = cluster.children
            assert (first.start, first.stop, second.stop) == (cluster.start, second.start, cluster.stop)
            assert first.size - second.size in (0, 1)


@given(n=st.integers(1, 300), leaf=st.integers(1, 40), d=st.integers(1, 4), seed=st.integers(0, 9))
@settings(max_examples=60)
def test_trees_are_permutations_in_nested_halves(n: int, leaf: int, d: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    points = draw.integers(0, 5, (n, d)) if seed % 2 else draw.random((n, d))
    for tree in (in_order(n, leaf), from_points(points, leaf), from_activations(draw.random((7, n)), leaf)):
        check(tree, n, leaf)
    for tree in from_entries(draw.standard_normal((n, d)), leaf):
        check(tree, tree.size, leaf)


def test_points_are_divided_along_the_longest_side() -> None:
    points = np.array([[0.0, 3.0], [10.0, 1.0], [1.0, 2.0], [9.0, 0.0]])
    assert set(from_points(points, 2).order[:2].tolist()) == {0, 2}
    assert set(from_points(points * [0.1, 10.0], 2).order[:2].tolist()) == {1, 3}


@given(seed=st.integers(0, 99), eta=st.floats(0.1, 10))
@settings(max_examples=40)
def test_admissibility_is_symmetric_and_grows_with_eta(seed: int, eta: float) -> None:
    points = np.random.default_rng(seed).random((40, 2))
    clusters = list(from_points(points, 5).root.walk())
    for a in clusters:
        for b in clusters:
            assert admissible(a, b, eta) == admissible(b, a, eta)
            assert not admissible(a, b, eta) or admissible(a, b, 2 * eta)
        assert not admissible(a, a, 1e9)


def test_eta_is_min_diameter_over_distance() -> None:
    a = Cluster(0, 2, low=np.array([0.0]), high=np.array([1.0]))
    b = Cluster(2, 4, low=np.array([3.0]), high=np.array([7.0]))
    assert admissible(a, b, 0.5)
    assert not admissible(a, b, 0.49)


@pytest.mark.parametrize("n", [64, 200, 512])
def test_a_permuted_kernel_is_recovered(n: int) -> None:
    """The storage of 1/(|i - j| + 1) comes back after its rows and columns are permuted, and is lost without."""
    i = np.arange(n)
    kernel = 1.0 / (abs(i[:, None] - i) + 1.0)
    draw = np.random.default_rng(1)
    rows, columns = draw.permutation(n), draw.permutation(n)
    config = HConfig(leaf=16, eps=1e-2)
    sorted_ = compress(kernel, config).storage_ratio
    for permuted in (kernel[np.ix_(rows, rows)], kernel[np.ix_(rows, columns)]):
        found = compress(permuted, config, *from_entries(permuted, 16)).storage_ratio
        assert found <= 1.05 * sorted_
        assert compress(permuted, config).storage_ratio > 0.9
    if n == 512:
        assert sorted_ <= 0.10


def test_activations_of_units_in_two_groups_are_told_apart() -> None:
    draw = np.random.default_rng(0)
    sources, group = draw.standard_normal((2, 500)), draw.permutation(np.repeat([0, 1], 30))
    activations = (sources[group] + 0.3 * draw.standard_normal((60, 500))).T
    order = from_activations(activations * draw.choice([-1.0, 1.0], 60), 30).order
    assert len(set(group[order[:30]].tolist())) == 1


def test_similarity_of_zeros_and_one_column() -> None:
    assert (cosines(np.array([[0.0, 0.0], [1.0, 1.0]])) == [[0.0, 0.0], [0.0, pytest.approx(1.0)]]).all()
    assert np.isfinite(fiedler(np.zeros((100, 100)))).all()
    check(from_entries(np.zeros((90, 90)), 8)[0], 90, 8)
    check(from_entries(np.ones((90, 1)) * 1e300, 8)[0], 90, 8)


def test_symmetric_matrices_get_one_tree() -> None:
    points = np.random.default_rng(0).random((50, 2))
    kernel = np.exp(-np.linalg.norm(points[:, None] - points, axis=2))
    rows, columns = from_entries(kernel, 8)
    assert rows is columns
    rows, columns = from_entries(kernel[:, :40], 8)
    assert (rows.size, columns.size) == (50, 40)


@pytest.mark.parametrize("shape", [(100, 100), (100, 30), (7, 300), (1, 50)])
def test_leaves_of_the_tree_of_blocks_tile_the_matrix(shape: tuple[int, int]) -> None:
    tree = block_tree(in_order(shape[0], 8), in_order(shape[1], 8), None)
    seen = np.zeros(shape, dtype=int)
    for node, (a, b, c, d) in enumerate(tree.bounds.tolist()):
        below = tree.bounds[list(tree.children(node))]
        if below.size:
            areas = (below[:, 1] - below[:, 0]) * (below[:, 3] - below[:, 2])
            assert areas.sum() == (b - a) * (d - c)
        else:
            seen[a:b, c:d] += 1
            assert max(b - a, d - c) <= 2 * max(8, min(b - a, d - c))
    assert (seen == 1).all()
    assert tree.parents()[0] == -1
    assert all(node in tree.children(parent) for node, parent in enumerate(tree.parents().tolist()) if node)


@pytest.mark.parametrize("value", BAD)
def test_numbers_that_are_not_finite(value: float) -> None:
    points = np.zeros((5, 2))
    points[3, 1] = value
    with pytest.raises(InputError, match="point 3: expected finite"):
        from_points(points)
    for make in (from_entries, from_activations):
        with pytest.raises(InputError, match="expected finite numbers"):
            make(points)


def test_shapes_that_are_none() -> None:
    for bad in (np.zeros((0, 2)), np.zeros((2, 2, 2)), np.zeros(0)):
        with pytest.raises(InputError, match=r"expected \[n, d\]"):
            from_points(bad)
    with pytest.raises(InputError, match="at least one index"):
        in_order(0)
    with pytest.raises(InputError, match="leaf"):
        in_order(5, 0)
    flat, deep = from_points(np.zeros((4, 1))), from_points(np.zeros((4, 2)))
    with pytest.raises(InputError, match="rows have 1 coordinates, columns 2"):
        admissible(flat.root, deep.root, 1.0)
    with pytest.raises(InputError, match="expected clusters from points"):
        admissible(flat.root, in_order(4).root, 1.0)
