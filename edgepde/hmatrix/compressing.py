"""From a matrix to a hierarchical matrix within a tolerance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from .block_tree import block_tree
from .clusters import ClusterTree, in_order
from .config import HConfig
from .hmatrix import HBlock, HMatrix
from .partition import Partition
from .spectra import Spectra
from .storing import rounded, stored

Array = NDArray[np.float64]
DTYPES = ("float32", "float64")
FINE, TRIES, SLIP = 0.05, 8, 1e-12
START, SEARCH, STEP, CLOSE, COARSER, MOST_EPS = 1e-3, 12, 1.05, 0.97, 8.0, 0.999


@final
@dataclass(frozen=True, eq=False)
class Scaled:
    """A matrix in cluster order divided by 2^exponent, an even power, so that its largest entry is about 1."""

    values: Array
    exponent: int
    norm: float

    def back(self, value: float) -> float:
        """A norm in the matrix's own scale."""
        return math.ldexp(value, self.exponent)


def compress(
    matrix: Any,
    config: HConfig | None = None,
    rows: ClusterTree | None = None,
    columns: ClusterTree | None = None,
    *,
    dtype: str = "float32",
    half: bool = False,
) -> HMatrix:
    """The matrix [m, n] as blocks with ||A - H||_F <= eps ||A||_F, numbers of dtype, with half float16 where it pays.

    rows, columns: cluster trees, whose leaf size counts; None keeps the order. Where nothing is cheaper the matrix
    stays one dense block, in float64 where the tolerance is below the rounding of dtype, and note says so. Raises
    InputError where numbers are not finite or trees do not match the matrix.
    """
    config = config or HConfig()
    return Compressor(matrix, config, rows, columns, dtype=dtype, half=half).at(config.eps)


@final
class Compressor:
    """A matrix at several tolerances: decompositions of its blocks are computed once. Parameters as of compress()."""

    def __init__(
        self,
        matrix: Any,
        config: HConfig,
        rows: ClusterTree | None = None,
        columns: ClusterTree | None = None,
        *,
        dtype: str = "float32",
        half: bool = False,
    ) -> None:
        given = checked(matrix, dtype)
        self.rows, self.columns = trees(given.shape, config, rows, columns)
        self.config = replace(config, leaf=self.rows.leaf)
        self.dtype, self.half = dtype, half
        self.scaled = in_cluster_order(given, self.rows, self.columns)
        self.tree = block_tree(self.rows, self.columns, config.eta)
        self._partition: Partition | None = None
        self._finest = math.inf

    def at(self, eps: float) -> HMatrix:
        """The matrix within eps of its Frobenius norm."""
        config = replace(self.config, eps=eps)
        tolerance, dtype, note = eps * self.scaled.norm, self.dtype, ""
        blocks: list[HBlock] | None = None
        if self.scaled.norm == 0.0:
            m, n = self.scaled.values.shape
            blocks = [HBlock((0, m), (0, n), None, np.zeros((m, 0)), np.zeros((n, 0)), 0.0)]
        elif tolerance > 0.0:
            blocks = settled(self._fine_enough(tolerance), tolerance, self.scaled.exponent, dtype)
        if blocks is None or all(b.rank is None and not b.halves for b in blocks):
            blocks, dtype, note = dense(self.scaled, tolerance, dtype)
        ends = self.scaled.back(self.scaled.norm), self.scaled.back(tolerance)
        return HMatrix(self.rows.order, self.columns.order, tuple(blocks), config, *ends, dtype, note)

    def until(self, measure: Callable[[HMatrix], float], limit: float) -> HMatrix:
        """The coarsest found for which the measure, an error, is within the limit; raises InputError where none is.

        The measure is taken to grow like eps, which is tried again until the measure is just below the limit.
        """
        good: HMatrix | None = None
        bad, eps, value = math.inf, self.config.eps or START, math.nan
        for _ in range(SEARCH):
            made = self.at(eps)
            value = measure(made)
            if value <= limit:
                good = made if good is None or eps > good.config.eps else good
            else:
                bad = min(bad, eps)
            low = 0.0 if good is None else good.config.eps
            if low * STEP > min(bad, MOST_EPS) or limit * CLOSE**2 <= value <= limit or (good and good.note):
                break
            wanted = eps * limit * CLOSE / value if value > 0.0 and math.isfinite(value) else eps * COARSER
            if not low < wanted < min(bad, MOST_EPS):
                wanted = math.sqrt(low * min(bad, MOST_EPS)) if low else bad / COARSER
            eps = wanted
        if good is None:
            raise InputError(f"hmatrix: expected an error within {limit:.3g}, got {value:.3g} at eps {eps:.3g}")
        return good

    def _fine_enough(self, tolerance: float) -> Partition:
        """Decompositions that leave out a part of the tolerance only."""
        if self._partition is None or tolerance < self._finest:
            self._finest = tolerance if self._partition is None else tolerance / COARSER
            spectra = Spectra(self.scaled.values, self.tree, FINE * self._finest, self.config.factorisation == "aca")
            self._partition = Partition(spectra, np.dtype(self.dtype).itemsize, self.config.max_rank, self.half)
        return self._partition


def checked(matrix: Any, dtype: str) -> Array:
    """The matrix in float64; raises InputError."""
    if np.iscomplexobj(matrix):
        raise InputError("hmatrix matrix: expected real numbers, got complex ones")
    given = np.asarray(matrix, dtype=np.float64)
    if given.ndim != 2 or given.size == 0:
        raise InputError(f"hmatrix matrix: expected [m, n], got {list(given.shape)}")
    if not np.isfinite(given).all():
        i, j = np.argwhere(~np.isfinite(given))[0].tolist()
        raise InputError(f"hmatrix matrix: entry ({i}, {j}): expected a finite number, got {given[i, j]}")
    if dtype not in DTYPES:
        raise InputError(f"hmatrix dtype: expected {' or '.join(DTYPES)}, got {dtype!r}")
    return given


def trees(
    shape: tuple[int, int], config: HConfig, rows: ClusterTree | None, columns: ClusterTree | None
) -> tuple[ClusterTree, ClusterTree]:
    """The trees, where none is given that of the order as it is; raises InputError where they do not match."""
    leaf = next((tree.leaf for tree in (rows, columns) if tree is not None), config.leaf)
    rows, columns = rows or in_order(shape[0], leaf), columns or in_order(shape[1], leaf)
    if rows.leaf != columns.leaf:
        raise InputError(
            f"hmatrix clusters: expected one leaf size, got {rows.leaf} for rows, {columns.leaf} for columns"
        )
    for name, tree, size in (("rows", rows, shape[0]), ("columns", columns, shape[1])):
        if tree.size != size:
            raise InputError(f"hmatrix {name}: expected clusters of {size} points or indices, got {tree.size}")
    return rows, columns


def in_cluster_order(given: Array, rows: ClusterTree, columns: ClusterTree) -> Scaled:
    """The matrix in the order of its clusters, scaled; raises InputError where its norm is beyond float64."""
    ordered = np.ascontiguousarray(given[np.ix_(rows.order, columns.order)])
    exponent = 2 * (int(np.frexp(np.abs(ordered).max())[1]) // 2)
    values = np.ldexp(np.ldexp(ordered, -exponent // 2), -exponent + exponent // 2)
    norm = float(np.linalg.norm(values))
    with np.errstate(over="ignore"):
        if not np.isfinite(np.ldexp(norm, exponent)):
            raise InputError(
                f"hmatrix matrix: expected a norm within float64, got entries up to {np.abs(given).max():.3g}"
            )
    return Scaled(values, exponent, norm)


def settled(
    partition: Partition, tolerance: float, exponent: int, dtype: str, fixed2: float = 0.0
) -> list[HBlock] | None:
    """Blocks whose true errors, with fixed2 the squares of the fixed ones, hold the tolerance; None where none do.

    Where float16 does not hold the numbers it was meant for, blocks without halves are tried too; the smaller wins.
    """
    blocks = _settled(partition, tolerance, exponent, dtype, fixed2)
    if blocks is None or not partition.missed:
        return blocks
    partition.half = False
    whole = _settled(partition, tolerance, exponent, dtype, fixed2)
    partition.half = True
    itemsize = np.dtype(dtype).itemsize
    tried = [made for made in (blocks, whole) if made is not None]
    return min(tried, key=lambda made: sum(block.nbytes(itemsize) for block in made))


def _settled(partition: Partition, tolerance: float, exponent: int, dtype: str, fixed2: float) -> list[HBlock] | None:
    aim = tolerance
    for _ in range(TRIES):
        try:
            choice = partition.within(aim)
        except ValueError:
            return None
        blocks = stored(partition.spectra, choice, exponent, dtype)
        error = math.sqrt(fixed2 + sum(math.ldexp(b.error, -exponent) ** 2 for b in blocks))
        if error <= tolerance * (1.0 - SLIP):
            wanted = sum(kept.halves for kept in choice.held.values())
            partition.missed = wanted > sum(min(b.halves, 1) if b.rank is None else b.halves for b in blocks)
            return blocks
        if not math.isfinite(error):
            return None
        aim *= 0.99 * tolerance / error
    return None


def dense(scaled: Scaled, tolerance: float, dtype: str) -> tuple[list[HBlock], str, str]:
    """One dense block in dtype, or in float64 where dtype is too coarse for the tolerance; and why."""
    ordered = np.ldexp(scaled.values, scaled.exponent)
    values = rounded(ordered, dtype)
    error = float(np.linalg.norm(np.ldexp(values, -scaled.exponent) - scaled.values))
    note = "dense: the tolerance is 0" if tolerance == 0.0 else "dense: nothing cheaper holds the tolerance"
    if not error <= tolerance:
        stated = f"the tolerance {scaled.back(tolerance):.3g}"
        note = f"dense, in float64: {stated} is below the rounding {scaled.back(error):.3g} of {dtype}"
        values, error, dtype = ordered, 0.0, "float64"
    m, n = ordered.shape
    return [HBlock((0, m), (0, n), values, None, None, scaled.back(error))], dtype, note
