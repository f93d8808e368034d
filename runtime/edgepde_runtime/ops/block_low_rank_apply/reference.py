"""Numpy reference: the definition of the op."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...blocks import check_sizes
from ...errors import InputError, ModelFileError
from .._numpy import MAX_ELEMENTS


def run(inputs: Sequence[NDArray[Any] | None], attributes: Mapping[str, Any]) -> tuple[NDArray[Any], ...]:
    """x A^T; see the schema for meaning and shapes. ModelFileError for groups or indices that do not fit."""
    x, column_groups, right, row_groups, index, left = (np.asarray(v) for v in inputs)
    rows = int(attributes["rows"])
    check(x, rows, column_groups, right, row_groups, index, left)
    right, left = right.astype(x.dtype, copy=False), left.astype(x.dtype, copy=False)
    parts, at = [], 0
    for start, size, rank in column_groups.tolist():
        factor = right[at : at + size * rank].reshape(size, rank)
        parts.append(x[:, start : start + size] @ factor)
        at += size * rank
    s = np.concatenate([*parts, x], axis=1)
    y = np.zeros((len(x), rows), x.dtype)
    at = read = 0
    for start, size, count in row_groups.tolist():
        factor = left[at : at + count * size].reshape(count, size)
        y[:, start : start + size] += s[:, index[read : read + count]] @ factor
        at, read = at + count * size, read + count
    return (y,)


def check(x: NDArray[Any], rows: int, *arrays: NDArray[Any]) -> None:
    """ModelFileError where factors have another type, groups leave the matrix, or an index is none of s."""
    for name, factor in (("right", arrays[1]), ("left", arrays[4])):
        if factor.dtype not in (np.float16, x.dtype):
            raise ModelFileError(f"block_low_rank_apply: {name}: expected float16 or {x.dtype}, got {factor.dtype}")
    if not 0 <= rows * max(len(x), 1) <= MAX_ELEMENTS:
        raise ModelFileError(f"block_low_rank_apply: rows: expected 0 to {MAX_ELEMENTS} outputs, got {rows}")
    try:
        check_sizes(rows, x.shape[1], *arrays)
    except InputError as error:
        raise ModelFileError(f"block_low_rank_apply: {error}") from error
