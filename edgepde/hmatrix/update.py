"""A hierarchical matrix follows a matrix that changes: most blocks stay bit for bit, the others are built again."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from .block_tree import BlockTree, block_tree
from .clusters import ClusterTree, in_order
from .compressing import FINE, Scaled, checked, compress, in_cluster_order, settled
from .config import HConfig
from .hmatrix import HBlock, HMatrix
from .partition import Partition
from .spectra import Spectra

Array = NDArray[np.float64]
TIGHTER, MOSTLY = 0.5, 0.75


@final
@dataclass(frozen=True)
class Change:
    """What an update did.

    kept, changed: blocks of the old matrix that stay or do not; made: blocks in place of the changed ones. Of these,
    reranked: same place, another rank; divided: old blocks in whose place are smaller ones; merged: new blocks in place
    of smaller ones. kept_bytes, made_bytes: what they store. threshold: square root of the most by which the squared
    error of a kept block grew. Where nothing is kept all was built anew.
    """

    kept: int
    changed: int
    made: int
    reranked: int
    divided: int
    merged: int
    kept_bytes: int
    made_bytes: int
    threshold: float


def update(
    old: HMatrix, matrix: Any, rows: ClusterTree | None = None, columns: ClusterTree | None = None
) -> tuple[HMatrix, Change]:
    """The new matrix [m, n] in the old one's order, within its eps of the new norm; and what changed.

    With r the true residual of an old block against the new matrix and e what it was, the blocks whose r^2 - e^2 is
    largest are built again, as few as the tolerance allows; a region that is mostly changed is looked at as a whole,
    so blocks gain rank, are divided or merged. rows, columns: the trees, needed where eta is. Raises InputError.
    """
    given = checked(matrix, old.dtype)
    if given.shape != old.shape:
        raise InputError(f"hmatrix update: expected a matrix {list(old.shape)}, got {list(given.shape)}")
    rows = _tree(old.row_order, old.config, rows, "rows")
    columns = _tree(old.column_order, old.config, columns, "columns")
    scaled = in_cluster_order(given, rows, columns)
    tree = block_tree(rows, columns, old.config.eta)
    plan = _Plan(old, scaled, tree, _residuals(old, scaled))
    tolerance = old.config.eps * scaled.norm
    stays = plan.stays(tolerance)
    made: list[HBlock] | None = []
    if not stays.all():
        made = plan.built(stays, tolerance) if stays.any() and tolerance > 0.0 else None
    if made is None:
        anew = compress(given, old.config, rows, columns, dtype=old.dtype, half=plan.half)
        return anew, plan.change(np.zeros_like(stays), list(anew.blocks), anew.dtype)
    kept = [plan.again(i) for i in np.flatnonzero(stays).tolist()]
    blocks = sorted(kept + made, key=lambda block: (block.rows[0], block.columns[0]))
    ends = scaled.back(scaled.norm), scaled.back(tolerance)
    new = HMatrix(old.row_order, old.column_order, tuple(blocks), old.config, *ends, old.dtype)
    return new, plan.change(stays, made, old.dtype)


@final
@dataclass(frozen=True, eq=False)
class _Plan:
    """An old matrix against a new one; residuals: of the old blocks, in the new one's scale."""

    old: HMatrix
    scaled: Scaled
    tree: BlockTree
    residuals: Array

    @property
    def half(self) -> bool:
        return any(block.halves for block in self.old.blocks)

    @property
    def grown(self) -> Array:
        """By how much the squared error of every block grew."""
        was = np.array([math.ldexp(b.error, -self.scaled.exponent) for b in self.old.blocks])
        return np.asarray(np.maximum(self.residuals**2 - was**2, 0.0))

    def stays(self, tolerance: float) -> NDArray[np.bool_]:
        """The most blocks, those that grew least, whose squares leave the others something of the tolerance."""
        squares, target = self.residuals**2, tolerance**2
        stays = np.ones(squares.size, dtype=bool)
        if squares.sum() <= target:
            return stays
        order = np.argsort(-self.grown, kind="stable")
        spent = np.cumsum((squares - self.grown)[order]) * TIGHTER
        left = squares.sum() - np.cumsum(squares[order])
        enough = np.flatnonzero((left + spent <= target) & (left < target))
        count = int(enough[0]) + 1 if enough.size else squares.size
        stays[order[:count]] = False
        return self._regions(stays)

    def _regions(self, stays: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Siblings of blocks that are built again go with them where little of their parent would stay."""
        nodes, parents = self.nodes(), self.tree.parents()
        area = (self.tree.heights * self.tree.widths).astype(np.float64)
        changed = np.zeros(area.size)
        parent = np.where(nodes >= 0, parents[nodes], -1)
        for i in np.flatnonzero(~stays & (parent >= 0)):
            changed[parent[i]] += area[nodes[i]]
        mostly = changed >= MOSTLY * area
        return np.asarray(stays & ~((parent >= 0) & mostly[parent]) & (nodes >= 0))

    def nodes(self) -> NDArray[np.int64]:
        """The node of the tree that every old block is; -1: none."""
        at = {tuple(bounds): node for node, bounds in enumerate(self.tree.bounds.tolist())}
        return np.array([at.get((*b.rows, *b.columns), -1) for b in self.old.blocks])

    def built(self, stays: NDArray[np.bool_], tolerance: float) -> list[HBlock] | None:
        """What comes in place of the blocks that do not stay; None where the tolerance is not held."""
        nodes = self.nodes()
        fixed = {int(nodes[i]): float(self.residuals[i] ** 2) for i in np.flatnonzero(stays)}
        spectra = Spectra(self.scaled.values, self.tree, FINE * tolerance, self.old.config.factorisation == "aca")
        itemsize, most = np.dtype(self.old.dtype).itemsize, self.old.config.max_rank
        partition = Partition(spectra, itemsize, most, self.half, fixed)
        return settled(partition, tolerance, self.scaled.exponent, self.old.dtype, sum(fixed.values()))

    def again(self, place: int) -> HBlock:
        """A block that stays, with its error against the new matrix."""
        return replace(self.old.blocks[place], error=self.scaled.back(float(self.residuals[place])))

    def change(self, stays: NDArray[np.bool_], made: list[HBlock], dtype: str) -> Change:
        """What was done."""
        gone = [self.old.blocks[i] for i in np.flatnonzero(~stays)]
        kept = [self.old.blocks[i] for i in np.flatnonzero(stays)]
        itemsize = np.dtype(self.old.dtype).itemsize
        before, after = ({(b.rows, b.columns): b for b in blocks} for blocks in (gone, made))
        return Change(
            kept=len(kept),
            changed=len(gone),
            made=len(made),
            reranked=sum(b.rank != after[place].rank for place, b in before.items() if place in after),
            divided=sum(place not in after and any(_within(b, gone_) for b in made) for place, gone_ in before.items()),
            merged=sum(place not in before and any(_within(b, made_) for b in gone) for place, made_ in after.items()),
            kept_bytes=sum(b.nbytes(itemsize) for b in kept),
            made_bytes=sum(b.nbytes(np.dtype(dtype).itemsize) for b in made),
            threshold=self.scaled.back(float(np.sqrt(self.grown[stays].max(initial=0.0)))),
        )


def _within(small: HBlock, large: HBlock) -> bool:
    """Whether a block lies in another one."""
    pairs = ((small.rows, large.rows), (small.columns, large.columns))
    return all(b[0] <= a[0] and a[1] <= b[1] for a, b in pairs)


def _residuals(old: HMatrix, scaled: Scaled) -> Array:
    made = np.zeros(len(old.blocks))
    for place, block in enumerate(old.blocks):
        lost = np.ldexp(block.dense(), -scaled.exponent) - scaled.values[slice(*block.rows), slice(*block.columns)]
        made[place] = np.linalg.norm(lost)
    return made


def _tree(order: NDArray[np.int64], config: HConfig, given: ClusterTree | None, name: str) -> ClusterTree:
    if given is None:
        if config.eta is not None:
            raise InputError(f"hmatrix update: {name}: expected the clusters, because eta needs their points")
        return ClusterTree(order, in_order(order.size, config.leaf).root, config.leaf)
    if not np.array_equal(given.order, order):
        raise InputError(f"hmatrix update: {name}: expected the clusters of the old matrix, got another order")
    return given
