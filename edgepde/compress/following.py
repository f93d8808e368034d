"""Blocks of a network's layers that still hold for weights that drifted, and others decomposed again in their place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from edgepde.certify.network import Network
from edgepde.compress.adjoint import adjoints
from edgepde.compress.area import spread
from edgepde.compress.blocked import Formed
from edgepde.compress.forms.low_rank import root
from edgepde.compress.joints import affine
from edgepde.compress.proof import Judge
from edgepde.hmatrix.hmatrix import HBlock, HMatrix

Array = NDArray[np.float64]
POINTS, GROWTH = 2000, 0.2


@final
@dataclass(frozen=True, eq=False)
class Followed:
    """A map as blocks, and what an update changed, see edgepde.hmatrix.update.Change."""

    formed: Formed
    change: dict[str, Any]


@final
class Weighed:
    """The maps of a network; moments of adjoints and inputs over points of the box."""

    def __init__(self, judge: Judge, before: Network, olds: Mapping[int, HMatrix], seed: int) -> None:
        self.judge, self.before, self.olds = judge, before, olds
        x = spread(judge.allowed.areas, max(POINTS, 2 * max(judge.f.widths)), seed)
        self.at, self.slopes = adjoints(judge.f, x)

    def followed(self, aim: float) -> dict[int, Followed]:
        """Every map; the smaller `aim`, the less may its squared error grow and the less is lost where it is new."""
        return {place: self._followed(place, old, aim) for place, old in self.olds.items()}

    def _followed(self, place: int, old: HMatrix, aim: float) -> Followed:
        node = affine(self.judge.f, place)
        inputs, slopes = self.at[node.sources[0]], self.slopes[place]
        mean = inputs.mean(dim=0)
        h, a = (inputs - mean).numpy(), slopes.permute(1, 0, 2).reshape(-1, slopes.shape[2]).numpy()
        weight = node.weight.numpy()
        layer = _Layer(old, weight, affine(self.before, place).weight.numpy(), a.T @ a / len(h), h.T @ h / len(h))
        stays = layer.stays(aim)
        each = 8 if old.dtype == "float64" else 4
        blocks = [layer.again(i) if stay else layer.anew(i, aim) for i, stay in enumerate(stays)]
        norm, error = float(np.linalg.norm(weight)), float(np.sqrt(sum(b.error**2 for b in blocks)))
        made = replace(old, blocks=tuple(blocks), norm=norm, tolerance=error, _packed={})
        bias = node.bias + torch.from_numpy(weight - made.dense()) @ mean
        return Followed(Formed(made, bias), _change(old, blocks, stays, each))


class _Layer:
    """A layer's old blocks against its new weight, in cluster order and weighed."""

    def __init__(self, old: HMatrix, new: Array, before: Array, pull: Array, spread_of: Array) -> None:
        self.old = old
        order = np.ix_(old.row_order, old.column_order)
        self.new, self.before = new[order], before[order]
        self.pull = pull[np.ix_(old.row_order, old.row_order)]
        self.spread = spread_of[np.ix_(old.column_order, old.column_order)]
        self.was = [self._weighed(block, self.before) for block in old.blocks]
        self.now = [self._weighed(block, self.new) for block in old.blocks]

    def stays(self, aim: float) -> NDArray[np.bool_]:
        """Those that grew least, together by at most GROWTH of the square of all."""
        grown = np.maximum(np.square(self.now) - np.square(self.was), 0.0)
        order = np.argsort(grown, kind="stable")
        allowed = GROWTH * (2.0 * aim - 1.0) * float(np.square(self.was).sum())
        stays = np.zeros(len(grown), dtype=bool)
        stays[order[np.cumsum(grown[order]) <= max(allowed, 0.0)]] = True
        return stays

    def again(self, place: int) -> HBlock:
        """A block as it is, with its error against the new weight."""
        block = self.old.blocks[place]
        return replace(block, error=float(np.linalg.norm(self._lost(block, self.new))))

    def anew(self, place: int, aim: float) -> HBlock:
        """A block of the least rank that loses no more than the old one did; dense where that is cheaper."""
        block = self.old.blocks[place]
        rows, columns = slice(*block.rows), slice(*block.columns)
        values = self.new[rows, columns]
        (pull, back), (spread_of, _) = root(self.pull[rows, rows]), root(self.spread[columns, columns])
        U, singular, _ = np.linalg.svd(pull @ values @ spread_of, full_matrices=False)
        tail = np.sqrt(np.append(np.cumsum(singular[::-1] ** 2)[::-1], 0.0))
        allowed = aim * max(self.was[place], 1e-3 * float(np.linalg.norm(self.was)))
        rank = int(np.argmax(tail <= allowed))
        if rank * sum(values.shape) >= values.size:
            held = self._held(values)
            return replace(
                block, values=held, left=None, right=None, halves=0, error=float(np.linalg.norm(held - values))
            )
        left, right = back @ U[:, :rank], (U[:, :rank].T @ pull @ values).T
        left, right = self._held(left), self._held(right)
        error = float(np.linalg.norm(values - left @ right.T))
        return replace(block, values=None, left=left, right=right, halves=0, error=error)

    def _held(self, values: Array) -> Array:
        return values.astype(self.old.dtype).astype(np.float64)

    def _lost(self, block: HBlock, weight: Array) -> Array:
        return weight[slice(*block.rows), slice(*block.columns)] - block.dense()

    def _weighed(self, block: HBlock, weight: Array) -> float:
        rows, columns = slice(*block.rows), slice(*block.columns)
        lost = self._lost(block, weight)
        square = np.sum((self.pull[rows, rows] @ lost) * (lost @ self.spread[columns, columns]))
        return float(np.sqrt(max(square, 0.0)))


def _change(old: HMatrix, blocks: list[HBlock], stays: NDArray[np.bool_], each: int) -> dict[str, Any]:
    made = [block for block, stay in zip(blocks, stays, strict=True) if not stay]
    kept = [block for block, stay in zip(blocks, stays, strict=True) if stay]
    before = [block for block, stay in zip(old.blocks, stays, strict=True) if not stay]
    return {
        "kept": len(kept),
        "changed": len(made),
        "made": len(made),
        "reranked": sum(a.rank != b.rank for a, b in zip(before, made, strict=True)),
        "divided": 0,
        "merged": 0,
        "kept_bytes": sum(block.nbytes(each) for block in kept),
        "made_bytes": sum(block.nbytes(each) for block in made),
    }
