"""Packed and back, stored and back: bit for bit, with or without halves; what is not what it should be."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.blocks import PackedBlocks
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgepde.hmatrix.block_tree import block_tree
from edgepde.hmatrix.clusters import from_points, in_order
from edgepde.hmatrix.compressing import compress
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HBlock, HMatrix
from edgepde.hmatrix.state import from_state, to_state
from edgepde.hmatrix.unpacking import unpacked

LEAF = 8


def sample(seed: int, eps: float, half: bool, m: int = 90, n: int = 70) -> HMatrix:
    draw = np.random.default_rng(seed)
    a, b = draw.random((m, 2)), draw.random((n, 2))
    matrix = 1.0 / (np.linalg.norm(a[:, None] - b, axis=2) + 0.02)
    matrix[: m // 2, : n // 2] *= seed % 3 > 0
    return compress(matrix, HConfig(eps=eps), from_points(a, LEAF), from_points(b, LEAF), half=half)


def equal(a: Any, b: Any) -> bool:
    return (a is None and b is None) or np.array_equal(a, b)


def check_same(before: tuple[HBlock, ...], after: tuple[HBlock, ...]) -> None:
    """The same places, ranks and bits."""
    for a, b in zip(sorted(before, key=lambda block: (block.rows, block.columns)), after, strict=True):
        assert (a.rows, a.columns, a.rank, a.halves) == (b.rows, b.columns, b.rank, b.halves)
        assert equal(a.values, b.values)
        assert equal(a.left, b.left)
        assert equal(a.right, b.right)


@settings(max_examples=15)
@given(seed=st.integers(0, 99), eps=st.sampled_from([1e-1, 1e-3, 1e-5]), half=st.booleans())
def test_packed_blocks_come_back_bit_for_bit(seed: int, eps: float, half: bool) -> None:
    made = sample(seed, eps, half)
    tree = block_tree(in_order(made.shape[0], LEAF), in_order(made.shape[1], LEAF), None)
    errors = {(b.rows, b.columns): b.error for b in made.blocks}
    back = unpacked(made.packed(half), tree, errors)
    nonzero = tuple(b for b in made.blocks if b.rank != 0)
    check_same(nonzero, tuple(b for b in back if b.rank != 0))
    assert replace(made, blocks=back, _packed={}).numbers == made.numbers
    np.testing.assert_array_equal(replace(made, blocks=back, _packed={}).dense(), made.dense())
    loose = unpacked(made.packed(half))
    assert sum(b.numbers for b in loose) == made.numbers
    assert all(np.isnan(b.error) for b in loose)


@settings(max_examples=15)
@given(seed=st.integers(0, 99), eps=st.sampled_from([0.0, 1e-1, 1e-3, 1e-5]), half=st.booleans())
def test_state_comes_back_bit_for_bit(seed: int, eps: float, half: bool) -> None:
    made = sample(seed, eps, half)
    arrays, description = to_state(made)
    back = from_state(arrays, json.loads(json.dumps(description)))
    check_same(made.blocks, tuple(sorted(back.blocks, key=lambda block: (block.rows, block.columns))))
    assert [b.error for b in back.blocks] == [b.error for b in made.blocks]
    for name in ("config", "norm", "tolerance", "dtype", "note", "nbytes", "error"):
        assert getattr(back, name) == getattr(made, name)
    assert equal(back.row_order, made.row_order)
    assert equal(back.column_order, made.column_order)
    assert sum(arrays[name].nbytes for name in ("numbers", "halves")) == made.nbytes


def test_the_right_factors_of_a_cluster_are_one_matrix() -> None:
    ones = np.ones((4, 1))
    blocks = tuple(
        HBlock((4 * i, 4 * i + 4), (4 * j, 4 * j + 4), None, (1 + 2 * i + j) * ones, ones, 0.0)
        for i in range(2)
        for j in range(2)
    )
    made = HMatrix(np.arange(8), np.arange(8), blocks, HConfig(), 1.0, 1.0)
    (packed,) = made.packed()
    assert packed.column_groups.tolist() == [[0, 4, 2], [4, 4, 2]]
    assert packed.row_groups.tolist() == [[0, 4, 2], [4, 4, 2]]
    assert packed.index.tolist() == [0, 2, 1, 3]
    assert packed.dense()[[0, 0, 4, 4], [0, 4, 0, 4]].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert made.packed() is made.packed()


def test_parts_that_disagree_about_a_block() -> None:
    empty, some = np.zeros((0, 3), np.int64), np.array([[0, 2, 2]])
    none: NDArray[np.float32] = np.zeros(0, np.float32)
    dense = PackedBlocks(2, 2, empty, none, some, np.array([0, 1]), np.ones(4, np.float32))
    assert unpacked([dense])[0].values is not None
    with pytest.raises(InputError, match="expected it dense in one part alone"):
        unpacked([dense, dense])


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("row_order", lambda a: a[a != a.max()], "expected within"),
        ("row_order", lambda a: a * 0, "row_order: expected a permutation"),
        ("column_order", lambda a: a.astype(np.int32), "column_order: expected finite int64"),
        ("numbers", lambda a: a[:-1], "expected more of them"),
        ("numbers", lambda a: np.append(a, a[:1]), "as the blocks say"),
        ("numbers", lambda a: a * np.float32(np.nan), "expected finite float32"),
        ("halves", lambda a: a[1:], "expected more of them"),
        ("halves", lambda a: a.astype(np.float32), "expected finite float16"),
        ("errors", lambda a: -a - 1, "blocks: expected"),
        ("errors", lambda a: a[1:], "blocks: expected"),
        ("blocks", lambda a: a[:, :5], "blocks: expected"),
        ("blocks", lambda a: np.vstack([a[:1] * 0, a[1:]]), "is no block"),
        ("blocks", lambda a: np.add(a, [0, 0, 0, 0, 10**9, 0]), "expected more of them"),
        ("blocks", lambda a: np.add(a, [0, 0, 0, 0, 0, 10**9]), "is no block"),
        ("blocks", None, "blocks: missing"),
    ],
)
def test_state_that_is_not_what_it_should_be(name: str, change: Any, message: str) -> None:
    arrays, description = to_state(sample(1, 1e-5, True))
    kept: dict[str, Any] = dict(arrays)
    held = kept.pop(name)
    if change is not None:
        kept[name] = change(held)
    with pytest.raises(InputError, match=message):
        from_state(kept, description)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("version", 2, "expected version 1"),
        ("dtype", "float16", "dtype: expected float32 or float64"),
        ("norm", "much", "hmatrix state"),
        ("config", {"leaf": 0}, "leaf: expected a whole number"),
        ("config", {"colour": 1}, "hmatrix state"),
        ("more", 1, "expected version 1"),
    ],
)
def test_descriptions_that_are_not_what_they_should_be(key: str, value: Any, message: str) -> None:
    arrays, description = to_state(sample(1, 1e-3, False))
    with pytest.raises(InputError, match=message):
        from_state(arrays, description | {key: value})
