"""The packed form of a matrix in blocks: what it is as a matrix and as blocks, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime.blocks import Block, PackedBlocks
from edgepde_runtime.errors import InputError
from edgepde_runtime.rooms import Room
from hypothesis import given
from hypothesis import strategies as st
from support.packed_blocks import Packed, dense_alone, ladder, low_rank_alone, packed

ROOM = Room("block_low_rank_apply")


def of(made: Packed) -> PackedBlocks:
    return PackedBlocks(made.rows, made.columns, *made.arrays())


@given(st.integers(4, 60), st.integers(2, 9), st.integers(1, 4), st.integers(0, 5))
def test_the_op_multiplies_with_the_dense_matrix(n: int, leaf: int, rank: int, seed: int) -> None:
    blocks = of(ladder(n, leaf, rank, seed))
    x = np.random.default_rng(seed).standard_normal((3, n))
    (y,) = ROOM.run([x, *blocks.arrays], {"rows": n})
    np.testing.assert_allclose(y, x @ blocks.dense().T, rtol=1e-10, atol=1e-10)
    total = blocks.ranks
    product = blocks.wide()[:, :total] @ blocks.thin() + blocks.wide()[:, total:]
    np.testing.assert_allclose(product, blocks.dense(), rtol=1e-10, atol=1e-10)


@given(st.integers(4, 60), st.integers(2, 9), st.integers(1, 4), st.integers(0, 5))
def test_the_blocks_tile_the_matrix_and_hold_its_numbers(n: int, leaf: int, rank: int, seed: int) -> None:
    packed_form = of(ladder(n, leaf, rank, seed))
    covered = np.zeros((n, n), int)
    for block in packed_form.blocks():
        covered[slice(*block.rows), slice(*block.columns)] += 1
    assert (covered == 1).all()
    assert sum(block.numbers for block in packed_form.blocks()) == packed_form.numbers


def test_blocks_have_their_ranks_and_places() -> None:
    assert of(low_rank_alone()).blocks() == (Block((0, 9), (0, 11), 3),)
    assert of(dense_alone()).blocks() == (Block((0, 19), (0, 7), None),)
    made = packed("two", 6, 8, [[0, 4, 2], [4, 4, 3]], [[0, 3, 4], [3, 3, 5]])
    made.index[:] = [0, 1, 9, 10, 2, 4, 5, 6, 12]
    assert of(made).blocks() == (
        Block((0, 3), (0, 4), 2),
        Block((0, 3), (4, 6), None),
        Block((3, 6), (4, 8), 2),
        Block((3, 6), (0, 2), None),
        Block((3, 6), (7, 8), None),
    )


@pytest.mark.parametrize("name", ["right", "left"])
def test_factors_must_be_finite(name: str) -> None:
    made = ladder()
    getattr(made, name)[3] = np.nan
    with pytest.raises(InputError, match=f"blocks: {name}: expected finite numbers"):
        of(made)


def test_a_group_of_no_columns_has_no_rank() -> None:
    with pytest.raises(InputError, match="no rank for a group of no columns"):
        PackedBlocks(2, 2, np.array([[0, 0, 2**60]]), np.zeros(0), np.zeros((0, 3), int), np.zeros(0, int), np.zeros(0))


@pytest.mark.parametrize("wrong", [-1, -(2**62), 5, 2**62])
def test_an_index_is_a_place_of_t_or_x(wrong: int) -> None:
    """A place counted from the end, as numpy does, is none either."""
    groups, one = np.array([[0, 4, 1]]), np.ones(4)
    right = PackedBlocks(1, 4, groups, one, np.array([[0, 1, 2]]), np.array([0, 4]), np.ones(2))
    assert right.dense().tolist() == [[1.0, 1.0, 1.0, 2.0]]
    for place in (0, 1):
        index = np.array([0, 4])
        index[place] = wrong
        with pytest.raises(InputError, match=r"blocks: index: expected 0 \.\. 4"):
            PackedBlocks(1, 4, groups, one, np.array([[0, 1, 2]]), index, np.ones(2))


def test_most_read_counts_every_group_of_rows_that_meets_an_output() -> None:
    rows = np.array([[0, 3, 2], [2, 2, 1], [1, 2, 3], [3, 1, 0]])
    made = PackedBlocks(4, 5, np.zeros((0, 3), np.int64), np.zeros(0), rows, np.zeros(6, np.int64), np.ones(14))
    assert made.most_read == 6


@pytest.mark.parametrize("wrong", [(-1, 2, 1), (0, -2, -1), (2, -2, -1), (0, 2, -1), (3, -1, 1), (-(2**62), 2, 1)])
def test_groups_are_not_negative(wrong: tuple[int, int, int]) -> None:
    """Also where two signs cancel out in the numbers that a group says it has."""
    numbers = max(0, wrong[1] * wrong[2])
    none, bad = np.zeros((0, 3), np.int64), np.array([wrong])
    for name in ("column_groups", "row_groups"):
        column_groups, row_groups = (bad, none) if name == "column_groups" else (none, bad)
        right, left = np.ones(len(column_groups) * numbers), np.ones(len(row_groups) * numbers)
        index = np.zeros(max(0, wrong[2]) * len(row_groups), np.int64)
        with pytest.raises(InputError, match=rf"blocks: {name}: expected groups within 0 \.\. 4"):
            PackedBlocks(4, 4, column_groups, right, row_groups, index, left)
