"""The block-cluster plot: every block once, dense ones filled, ranks written where they can be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime.blocks import PackedBlocks
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edgepde.hmatrix.compressing import compress
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HMatrix
from edgepde.hmatrix.plot import DENSE, blocks_of, draw_blocks, draw_ranks, save


def sample(eps: float = 1e-4) -> HMatrix:
    x = np.arange(128) / 128
    return compress(1.0 / (np.abs(x[:, None] - x) + 0.01), HConfig(leaf=16, eps=eps), half=True)


def drawn(matrix: object, inches: float = 8.0) -> Axes:
    axes = Figure(figsize=(inches, inches)).subplots()
    draw_blocks(axes, matrix)
    return axes


def test_every_block_is_drawn_and_every_rank_written() -> None:
    made = sample()
    axes = drawn(made)
    patches = sum(len(collection.get_paths()) for collection in axes.collections)
    assert patches == len(made.blocks)
    assert len(axes.collections[0].get_paths()) == sum(b.rank is None for b in made.blocks) > 0
    assert sorted(int(text.get_text()) for text in axes.texts) == sorted(b.rank for b in made.blocks if b.rank)
    assert axes.collections[0].get_facecolor()[0][:3] == pytest.approx(
        [int(DENSE[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    )
    assert axes.get_ylim() == (128.0, 0.0)


def test_what_cannot_be_read_is_not_written() -> None:
    made = sample()
    few = drawn(made, 1.0).texts
    assert len(few) < len([b for b in made.blocks if b.rank])
    assert all(text.get_fontsize() >= 4.0 for text in few)


def test_packed_parts_show_the_same_ranks() -> None:
    made = sample()
    blocks, shape = blocks_of(made.packed(half=True))
    assert shape == (128, 128)
    low = {(b.rows, b.columns, b.rank) for b in blocks if b.rank}
    assert low == {(b.rows, b.columns, b.rank) for b in made.blocks if b.rank}
    numbers = sum(block.numbers for block in blocks)
    assert numbers == made.numbers


def test_groups_that_share_places_are_drawn_once() -> None:
    none = np.zeros(0, np.float32)
    twice = np.array([[0, 2, 2], [0, 2, 2]])
    dense = PackedBlocks(2, 2, np.zeros((0, 3), np.int64), none, twice, np.array([0, 1, 0, 1]), np.ones(8, np.float32))
    assert [block.rank for block in blocks_of(dense)[0]] == [None]


def test_histogram_counts_every_block() -> None:
    made = sample()
    axes = Figure().subplots()
    draw_ranks(axes, made)
    heights = [patch.get_height() for patch in axes.patches]
    histogram = made.rank_histogram()
    assert heights[-1] == histogram[None]
    assert sum(heights) == len(made.blocks)
    assert all(heights[rank] == count for rank, count in histogram.items() if rank is not None)


@pytest.mark.parametrize("matrix", [np.zeros((5, 9)), np.ones((1, 1)), np.eye(70)])
@pytest.mark.parametrize("name", ["plot.png", "plot.svg"])
def test_saves_whatever_there_is(matrix: NDArray[np.float64], name: str, tmp_path: Path) -> None:
    save(compress(matrix, HConfig(leaf=8)), tmp_path / name)
    assert (tmp_path / name).stat().st_size > 1000
