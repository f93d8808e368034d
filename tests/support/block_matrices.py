"""Random matrices in the form of the op block_low_rank_apply."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from edgepde_runtime.blocks import PackedBlocks
from numpy.typing import NDArray


def random_blocks(
    rng: np.random.Generator,
    rows: int,
    columns: int,
    *,
    groups: int = 3,
    rank: int = 3,
    dtype: Any = np.float32,
    size: float = 0.3,
    apart: bool = True,
) -> PackedBlocks:
    """Groups of columns side by side, groups of rows anywhere; apart: no entry of the matrix is in two groups."""
    starts = np.sort(rng.choice(np.arange(1, columns), min(groups, columns) - 1, replace=False))
    edges = [0, *starts.tolist(), columns]
    column_groups = [(a, b - a, int(rng.integers(0, rank + 1))) for a, b in pairwise(edges)]
    ranks = sum(r for _, _, r in column_groups)
    row_groups, index, used = [], [], np.zeros((rows, ranks + columns), bool)
    for _ in range(groups + 1):
        start = int(rng.integers(0, rows))
        count = int(rng.integers(1, rows - start + 1))
        free = np.flatnonzero(~used[start : start + count].any(axis=0)) if apart else np.arange(ranks + columns)
        chosen = rng.permutation(free)[: int(rng.integers(0, max(1, len(free)) + 1))]
        used[start : start + count, chosen] = True
        row_groups.append((start, count, len(chosen)))
        index.append(chosen)
    return PackedBlocks(
        rows,
        columns,
        np.array(column_groups, np.int64).reshape(-1, 3),
        _numbers(rng, sum(s * r for _, s, r in column_groups), dtype, size),
        np.array(row_groups, np.int64).reshape(-1, 3),
        np.concatenate(index).astype(np.int64),
        _numbers(rng, sum(s * c for _, s, c in row_groups), dtype, size),
    )


def _numbers(rng: np.random.Generator, count: int, dtype: Any, size: float) -> NDArray[Any]:
    return (size * rng.standard_normal(count)).astype(dtype)
