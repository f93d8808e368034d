"""The block-cluster plot with ranks written in, and the histogram of ranks; needs matplotlib (the extra export)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from edgepde_runtime.blocks import Block, PackedBlocks
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from .clusters import Range
from .hmatrix import HMatrix

READABLE, POINTS, VECTORS = 4.0, 72.0, 3000
DENSE, LOW, LINE, TEXT = "#3b4f63", "#dbe7f2", "#8aa0b5", "#22303d"


def blocks_of(matrix: HMatrix | PackedBlocks | Sequence[PackedBlocks]) -> tuple[tuple[Block, ...], tuple[int, int]]:
    """(blocks, (m, n)) of a matrix or of the packed parts it is the sum of."""
    if isinstance(matrix, HMatrix):
        return tuple(Block(b.rows, b.columns, b.rank) for b in matrix.blocks), matrix.shape
    parts = [matrix] if isinstance(matrix, PackedBlocks) else list(matrix)
    ranks: dict[tuple[Range, Range], int | None] = {}
    for block in (block for part in parts for block in part.blocks()):
        place = block.rows, block.columns
        before = ranks.get(place, 0)
        ranks[place] = None if block.rank is None or before is None else before + block.rank
    found = tuple(Block(*place, rank) for place, rank in sorted(ranks.items(), key=lambda item: item[0]))
    return found, (parts[0].rows, parts[0].columns)


def draw_blocks(
    axes: Axes,
    matrix: Any,
    dense: str = DENSE,
    low: str = LOW,
    line: str = LINE,
    text: str = TEXT,
    strength: float = 1.0,
) -> None:
    """Blocks of cluster order: dense ones filled, the others the darker the higher their rank, which is written in.

    strength: how opaque the highest rank is. A rank that would be smaller than READABLE points stays unwritten.
    """
    blocks, (m, n) = blocks_of(matrix)
    axes.set(xlim=(0, n), ylim=(m, 0), aspect="equal")
    shown = [block for block in blocks if block.rank != 0]
    most = max((block.rank or 0 for block in shown), default=1)
    for filled in (True, False):
        group = [block for block in shown if (block.rank is None) == filled]
        if not group:
            continue
        patches = [Rectangle((b.columns[0], b.rows[0]), *reversed(_size(b))) for b in group]
        drawn = PatchCollection(patches, facecolor=dense if filled else low, edgecolor=line, linewidth=0.3)
        if not filled:
            drawn.set_alpha([strength * (0.25 + 0.75 * (b.rank or 0) / most) for b in group])
        drawn.set_rasterized(len(blocks) > VECTORS)
        axes.add_collection(drawn)
    box = axes.get_window_extent()
    scale = POINTS / axes.figure.dpi * min(box.width / n, box.height / m)
    for block in shown:
        size = min(0.45 * scale * min(_size(block)), 11.0)
        if block.rank is not None and size >= READABLE:
            x, y = sum(block.columns) / 2, sum(block.rows) / 2
            axes.text(x, y, str(block.rank), ha="center", va="center", fontsize=size, color=text)
    axes.set_xlabel("columns, cluster order")
    axes.set_ylabel("rows, cluster order")


def draw_ranks(axes: Axes, matrix: Any, colour: str = LINE, dense: str = DENSE) -> None:
    """How many blocks there are of each rank, dense ones last."""
    blocks, _ = blocks_of(matrix)
    ranks = np.array([block.rank for block in blocks if block.rank is not None], dtype=np.int64)
    counted = np.bincount(ranks) if ranks.size else np.zeros(1, np.int64)
    axes.bar(np.arange(counted.size), counted, color=colour, width=0.9)
    count = sum(block.rank is None for block in blocks)
    end = counted.size + max(1, counted.size // 12)
    axes.bar([end], [count], color=dense, width=0.9)
    step = max(1, -(-counted.size // 8))
    ticks = list(range(0, counted.size, step))
    axes.set_xticks([*ticks, end], [*map(str, ticks), "dense"])
    axes.set_xlabel("rank")
    axes.set_ylabel("blocks")


def save(matrix: Any, path: Any, size: float = 9.0) -> None:
    """Both drawings beside each other in a file; the format follows its name."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.6 * size, size), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[2, 1])
    draw_blocks(left, matrix)
    draw_ranks(right, matrix)
    figure.savefig(path)


def _size(block: Block) -> tuple[int, int]:
    return block.rows[1] - block.rows[0], block.columns[1] - block.columns[0]
