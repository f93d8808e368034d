"""From a matrix to a hierarchical matrix within a tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from .block_tree import block_tree
from .clusters import ClusterTree, in_order
from .config import HConfig
from .hmatrix import HBlock, HMatrix
from .partition import Choice, Partition
from .spectra import Factors, Spectra

Array = NDArray[np.float64]
DTYPES = ("float32", "float64")
FINE, TRIES = 0.05, 6


def compress(
    matrix: Any,
    config: HConfig | None = None,
    rows: ClusterTree | None = None,
    columns: ClusterTree | None = None,
    *,
    dtype: str = "float32",
) -> HMatrix:
    """The matrix [m, n] as blocks with ||A - H||_F <= eps ||A||_F, numbers of dtype.

    rows, columns: cluster trees; None keeps the order. Raises InputError where numbers are not finite or trees do not
    match the matrix.
    """
    config = config or HConfig()
    given = checked(matrix, dtype)
    rows, columns = rows or in_order(given.shape[0], config.leaf), columns or in_order(given.shape[1], config.leaf)
    for name, tree, size in (("rows", rows, given.shape[0]), ("columns", columns, given.shape[1])):
        if tree.size != size:
            raise InputError(f"hmatrix {name}: expected a tree of {size} indices, got {tree.size}")
    ordered = np.ascontiguousarray(given[np.ix_(rows.order, columns.order)])
    exponent = 2 * (int(np.frexp(np.abs(ordered).max())[1]) // 2)
    scaled = np.ldexp(ordered, -exponent)
    norm = float(np.linalg.norm(scaled))
    tolerance = config.eps * norm
    blocks: list[HBlock] | None = None
    note = ""
    if norm == 0.0:
        blocks = [zero(given.shape)]
    elif tolerance > 0.0:
        blocks = _blocks(scaled, exponent, tolerance, config, rows, columns, dtype)
    if blocks is None or all(b.rank is None for b in blocks):
        blocks, dtype, note = _dense(ordered, np.ldexp(tolerance, exponent), dtype, config.eps)
    return HMatrix(
        rows.order,
        columns.order,
        tuple(blocks),
        config,
        float(np.ldexp(norm, exponent)),
        float(np.ldexp(tolerance, exponent)),
        dtype,
        note,
    )


def zero(shape: tuple[int, int]) -> HBlock:
    """A block of rank 0."""
    m, n = shape
    return HBlock((0, m), (0, n), None, np.zeros((m, 0)), np.zeros((n, 0)), 0.0)


def _dense(ordered: Array, tolerance: float, dtype: str, eps: float) -> tuple[list[HBlock], str, str]:
    """One dense block in dtype, or in float64 where dtype is too coarse for the tolerance; and why."""
    note = "dense: nothing cheaper holds the tolerance"
    if eps == 0.0:
        note = "dense: the tolerance is 0"
    values = rounded(ordered, dtype)
    error = float(np.linalg.norm(values - ordered))
    if not error <= tolerance:
        note = f"dense, in float64: the tolerance {tolerance:.3g} is below the rounding {error:.3g} of {dtype}"
        values, error, dtype = ordered, 0.0, "float64"
    m, n = ordered.shape
    return [HBlock((0, m), (0, n), values, None, None, error)], dtype, note


def checked(matrix: Any, dtype: str) -> Array:
    """The matrix in float64; raises InputError."""
    given = np.asarray(matrix, dtype=np.float64)
    if given.ndim != 2 or given.size == 0:
        raise InputError(f"hmatrix matrix: expected [m, n], got {list(given.shape)}")
    if not np.isfinite(given).all():
        i, j = np.argwhere(~np.isfinite(given))[0].tolist()
        raise InputError(f"hmatrix matrix: entry ({i}, {j}): expected a finite number, got {given[i, j]}")
    if dtype not in DTYPES:
        raise InputError(f"hmatrix dtype: expected {' or '.join(DTYPES)}, got {dtype!r}")
    return given


def _blocks(
    scaled: Array, exponent: int, tolerance: float, config: HConfig, rows: ClusterTree, columns: ClusterTree, dtype: str
) -> list[HBlock] | None:
    spectra = Spectra(scaled, block_tree(rows, columns, config.eta), FINE * tolerance)
    partition = Partition(spectra, np.dtype(dtype).itemsize, config.max_rank)
    aim = tolerance
    for _ in range(TRIES):
        choice = partition.within(aim)
        blocks = stored(spectra, choice, exponent, dtype)
        error = float(np.ldexp(np.sqrt(sum(np.ldexp(b.error, -exponent) ** 2 for b in blocks)), 0))
        if error <= tolerance:
            return blocks
        aim *= 0.98 * tolerance / error
    return None


def stored(spectra: Spectra, choice: Choice, exponent: int, dtype: str) -> list[HBlock]:
    """The chosen blocks, their numbers rounded to what is stored, their errors those of the rounded numbers."""
    made = []
    for node in sorted(choice.ranks, key=lambda i: tuple(spectra.tree.bounds[i, [0, 2]].tolist())):
        a, b, c, d = spectra.tree.bounds[node].tolist()
        rank, block = choice.ranks[node], spectra.block(node)
        if rank is None:
            values = rounded(np.ldexp(block, exponent), dtype)
            lost = np.ldexp(values, -exponent) - block
            left = right = None
        else:
            left, right = balanced(spectra.factors[node], rank, exponent, dtype)
            values = None
            lost = np.ldexp(left, -exponent // 2) @ np.ldexp(right, -exponent // 2).T - block
        made.append(HBlock((a, b), (c, d), values, left, right, float(np.ldexp(np.linalg.norm(lost), exponent))))
    return made


def balanced(factors: Factors, rank: int, exponent: int, dtype: str) -> tuple[Array, Array]:
    """Both factors with half of every singular value, rounded."""
    root = np.sqrt(factors.sigma[:rank])
    half = exponent // 2
    return (
        rounded(np.ldexp(factors.U[:, :rank] * root, half), dtype),
        rounded(np.ldexp(factors.V[:, :rank] * root, half), dtype),
    )


def rounded(values: Array, dtype: str) -> Array:
    """The nearest numbers of dtype, in float64."""
    with np.errstate(over="ignore"):
        return values.astype(dtype).astype(np.float64)
