"""A hierarchical matrix as named arrays and a description in JSON, to be kept in a file and read back bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from .config import HConfig
from .hmatrix import HBlock, HMatrix, check_tiling

VERSION = 1
KEYS = {"version", "config", "norm", "tolerance", "dtype", "note"}
COLUMNS = 6
"""Of blocks [N, 6]: start and end of rows, of columns, rank (-1: dense), halves."""


def to_state(matrix: HMatrix) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """(arrays, description): row_order, column_order, blocks, errors, numbers (of dtype), halves (float16)."""
    numbers: list[NDArray[Any]] = [np.zeros(0, matrix.dtype)]
    halves: list[NDArray[Any]] = [np.zeros(0, np.float16)]
    rows = []
    for block in matrix.blocks:
        rank = -1 if block.rank is None else block.rank
        rows.append((*block.rows, *block.columns, rank, block.halves))
        for factor in _factors(block):
            whole = factor.shape[1] - block.halves
            numbers.append(factor[:, :whole].astype(matrix.dtype).ravel())
            halves.append(factor[:, whole:].astype(np.float16).ravel())
    arrays = {
        "row_order": matrix.row_order,
        "column_order": matrix.column_order,
        "blocks": np.array(rows, dtype=np.int64).reshape(len(rows), COLUMNS),
        "errors": np.array([block.error for block in matrix.blocks], dtype=np.float64),
        "numbers": np.concatenate(numbers),
        "halves": np.concatenate(halves),
    }
    told = {key: getattr(matrix, key) for key in ("norm", "tolerance", "dtype", "note")}
    return arrays, {"version": VERSION, "config": asdict(matrix.config), **told}


def from_state(arrays: Mapping[str, NDArray[Any]], description: Mapping[str, Any]) -> HMatrix:
    """What to_state wrote; raises InputError naming the field."""
    if set(description) != KEYS or description["version"] != VERSION:
        raise InputError(f"hmatrix state: expected version {VERSION} and {sorted(KEYS)}, got {sorted(description)}")
    try:
        config = HConfig(**description["config"])
        norm, tolerance = float(description["norm"]), float(description["tolerance"])
    except (TypeError, ValueError) as error:
        raise InputError(f"hmatrix state: {error}") from None
    dtype = description["dtype"]
    if dtype not in {"float32", "float64"}:
        raise InputError(f"hmatrix state: dtype: expected float32 or float64, got {dtype!r}")
    orders = [_order(arrays, name) for name in ("row_order", "column_order")]
    rows = _typed(arrays, "blocks", np.int64, 2)
    errors = _typed(arrays, "errors", np.float64, 1)
    if rows.shape != (errors.size, COLUMNS) or (errors < 0.0).any():
        raise InputError(f"hmatrix state: blocks: expected [{errors.size}, {COLUMNS}], got {list(rows.shape)}")
    numbers, halves = _typed(arrays, "numbers", dtype, 1), _typed(arrays, "halves", np.float16, 1)
    blocks = _blocks(rows, errors, numbers, halves)
    check_tiling((orders[0].size, orders[1].size), blocks)
    return HMatrix(orders[0], orders[1], blocks, config, norm, tolerance, dtype, str(description["note"]))


def _blocks(
    rows: NDArray[np.int64], errors: NDArray[np.float64], numbers: NDArray[Any], halves: NDArray[Any]
) -> tuple[HBlock, ...]:
    made, at, half_at = [], 0, 0
    for (a, b, c, d, rank, half), error in zip(rows.tolist(), errors.tolist(), strict=True):
        dense = rank == -1
        most = d - c if dense else rank
        if not (0 <= a < b and 0 <= c < d and rank >= -1 and 0 <= half <= most):
            raise InputError(f"hmatrix state: blocks: {[a, b, c, d, rank, half]} is no block")
        factors = []
        for size in (b - a,) if dense else (b - a, d - c):
            whole, small = size * (most - half), size * half
            if at + whole > numbers.size or half_at + small > halves.size:
                raise InputError("hmatrix state: numbers: expected more of them, as the blocks say")
            parts = [numbers[at : at + whole].reshape(size, most - half)]
            parts.append(halves[half_at : half_at + small].reshape(size, half))
            factors.append(np.hstack([part.astype(np.float64) for part in parts]))
            at, half_at = at + whole, half_at + small
        values = factors[0] if dense else None
        left, right = (None, None) if dense else factors
        made.append(HBlock((a, b), (c, d), values, left, right, error, half))
    if at != numbers.size or half_at != halves.size:
        raise InputError(f"hmatrix state: numbers: expected {at} and {half_at} halves, as the blocks say")
    return tuple(made)


def _factors(block: HBlock) -> tuple[NDArray[Any], ...]:
    if block.values is not None:
        return (block.values,)
    assert block.left is not None
    assert block.right is not None
    return block.left, block.right


def _order(arrays: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.int64]:
    order = _typed(arrays, name, np.int64, 1)
    if not order.size or not np.array_equal(np.sort(order), np.arange(order.size)):
        raise InputError(f"hmatrix state: {name}: expected a permutation")
    return order


def _typed(arrays: Mapping[str, NDArray[Any]], name: str, dtype: Any, dimension: int) -> NDArray[Any]:
    if name not in arrays:
        raise InputError(f"hmatrix state: {name}: missing")
    array = np.asarray(arrays[name])
    if array.dtype != np.dtype(dtype) or array.ndim != dimension or not np.isfinite(array).all():
        raise InputError(
            f"hmatrix state: {name}: expected finite {np.dtype(dtype)}, got {array.dtype} {list(array.shape)}"
        )
    return array
