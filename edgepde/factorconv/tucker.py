"""Bases of the axes of many fields, and which numbers of their cores are worth keeping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LETTERS = "tyx"


@dataclass(frozen=True, eq=False)
class Tucker:
    """Orthonormal bases [T, a], [Y, b], [X, c]; place [a, b, c]: which of the kept numbers, their count where none.

    kept: the flat positions in the core [M], largest energy first.
    """

    bases: tuple[Array, Array, Array]
    kept: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(a, b, c)."""
        a, b, c = (basis.shape[1] for basis in self.bases)
        return a, b, c

    @property
    def place(self) -> NDArray[np.int64]:
        """[a b c]."""
        made = np.full(int(np.prod(self.shape)), len(self.kept), dtype=np.int64)
        made[self.kept] = np.arange(len(self.kept))
        return made

    def first(self, count: int) -> Tucker:
        """Only the `count` positions of the largest energy, and of each axis only the modes these use."""
        used = np.unravel_index(self.kept[:count], self.shape)
        shape = tuple(int(axis.max()) + 1 for axis in used)
        a, b, c = (basis[:, :n] for basis, n in zip(self.bases, shape, strict=True))
        return Tucker((a, b, c), np.ravel_multi_index(used, shape).astype(np.int64))

    def project(self, field: NDArray[np.float32]) -> Array:
        """The kept numbers [N, M] of fields [N, T, Y, X]."""
        return cores(field, self.bases)[:, self.kept]


def tucker(field: NDArray[np.float32], left: float) -> Tucker:
    """Bases of each axis that leave `left` of the fields [N, T, Y, X], every case counted alike; all positions kept.

    left: relative, in the root mean square over cases, per axis.
    """
    norms = np.sqrt(np.square(field, dtype=np.float64).sum((1, 2, 3)))
    weight = 1.0 / np.maximum(norms, 1e-6 * norms.max() + np.finfo(np.float64).tiny)
    t, y, x = (_basis(field, weight, axis, left) for axis in (1, 2, 3))
    numbers = cores(field, (t, y, x)) * weight[:, None]
    return Tucker((t, y, x), np.argsort(-np.square(numbers).sum(0), kind="stable"))


def cores(field: NDArray[np.float32], bases: tuple[Array, Array, Array]) -> Array:
    """G_abc of each field, flat: [N, a b c]."""
    t, y, x = bases
    made = [np.einsum("tyx,ta,yb,xc->abc", case, t, y, x, optimize=True).ravel() for case in field.astype(np.float64)]
    return np.array(made)


def _basis(field: NDArray[np.float32], weight: Array, axis: int, left: float) -> Array:
    """The leading modes of an axis, those of the largest energy first."""
    size = field.shape[axis]
    gram = np.zeros((size, size))
    for case, w in zip(field, weight, strict=True):
        flat = np.moveaxis(case, axis - 1, 0).reshape(size, -1).astype(np.float64) * w
        gram += flat @ flat.T
    values, modes = np.linalg.eigh(gram)
    energy = values[::-1].clip(min=0.0)
    remaining = np.sqrt(np.maximum(0.0, 1.0 - np.cumsum(energy) / max(energy.sum(), np.finfo(np.float64).tiny)))
    return np.ascontiguousarray(modes[:, ::-1][:, : int(np.argmax(remaining <= left)) + 1])
