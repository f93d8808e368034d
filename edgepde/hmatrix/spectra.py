"""Truncated singular value decompositions of the blocks of a matrix, each computed once and only when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from .aca import cross
from .block_tree import BlockTree

Array = NDArray[np.float64]
DIRECT = 64
EXACT, MORE = 128, 8
CROSS, SLACK = 0.3, 4.0
MERGED = 0.75


@final
@dataclass(frozen=True, eq=False)
class Factors:
    """U diag(sigma) V^T, U [p, k], V [q, k] orthonormal; lost: squared Frobenius norm of what it leaves out."""

    U: Array
    sigma: Array
    V: Array
    lost: float


@final
class Spectra:
    """Decompositions of the blocks of a matrix [m, n] in cluster order, each up to an absolute error by its area.

    Small blocks are decomposed directly, larger ones from the factors of their children where these are thin. crosses:
    larger blocks by adaptive cross approximation where what it truly leaves is small enough.
    """

    def __init__(self, matrix: Array, tree: BlockTree, error: float, crosses: bool = False) -> None:
        self.matrix, self.tree, self.crosses = matrix, tree, crosses
        self.factors: dict[int, Factors] = {}
        self._density = error**2 / matrix.size
        self._norms: dict[int, float] = {}

    def block(self, node: int) -> Array:
        """The entries [p, q] of a node."""
        a, b, c, d = self.tree.bounds[node].tolist()
        return self.matrix[a:b, c:d]

    def norm2(self, node: int) -> float:
        """Squared Frobenius norm of a node."""
        if node not in self._norms:
            below = self.tree.children(node)
            block = self.block(node)
            self._norms[node] = sum(map(self.norm2, below)) if below else float(np.einsum("ij,ij->", block, block))
        return self._norms[node]

    def compute(self, node: int, enough: int) -> Factors:
        """The decomposition of a node; where none is at hand and it is large, of rank enough and no more."""
        if node not in self.factors and self.crosses:
            crossed = self._crossed(node, enough)
            if crossed is not None:
                self.factors[node] = crossed
        if node not in self.factors:
            below = [self.factors.get(child) for child in self.tree.children(node)]
            block = self.block(node)
            thin = [f for f in below if f is not None]
            ranks = sum(f.sigma.size for f in thin)
            if below and len(thin) == len(below) and min(block.shape) > DIRECT and ranks <= MERGED * min(block.shape):
                made = self._merged(node, thin)
            elif min(block.shape) > EXACT and enough + MORE < min(block.shape):
                made = self._found(node, enough)
            else:
                U, sigma, Vt = _svd(block)
                made = self._cut(node, U, sigma, Vt.T, 0.0)
            self.factors[node] = made
        return self.factors[node]

    def _crossed(self, node: int, rank: int) -> Factors | None:
        """By crosses, recompressed; None where the block is small, or what is truly left is above what may be."""
        block = self.block(node)
        allowed = self._density * block.size
        if min(block.shape) <= DIRECT:
            return None
        left, right = cross(block, CROSS * float(np.sqrt(allowed)), rank + MORE)
        Q, R = scipy.linalg.qr(left, mode="economic", check_finite=False)
        P, T = scipy.linalg.qr(right, mode="economic", check_finite=False)
        U, sigma, Vt = _svd(R @ T.T)
        made = self._cut(node, Q @ U, sigma, P @ Vt.T, 0.0)
        lost = float(np.linalg.norm(block - (made.U * made.sigma) @ made.V.T) ** 2)
        return Factors(made.U, made.sigma, made.V, lost) if lost <= SLACK * allowed else None

    def _found(self, node: int, rank: int) -> Factors:
        """By a randomised range finder with one power iteration (arXiv 0909.4061)."""
        block = self.block(node)
        probes = np.random.default_rng(node).standard_normal((block.shape[1], rank + MORE))
        Q, _ = scipy.linalg.qr(block @ probes, mode="economic", check_finite=False)
        Q, _ = scipy.linalg.qr(block.T @ Q, mode="economic", check_finite=False)
        Q, _ = scipy.linalg.qr(block @ Q, mode="economic", check_finite=False)
        U, sigma, Vt = _svd(Q.T @ block)
        lost = max(0.0, self.norm2(node) - float(np.sum(sigma**2)))
        return self._cut(node, Q @ U, sigma, Vt.T, lost)

    def _cut(self, node: int, U: Array, sigma: Array, V: Array, lost: float) -> Factors:
        """Without the smallest singular values that the error of the block allows to drop."""
        tail = np.cumsum(sigma[::-1] ** 2)[::-1]
        k = int(np.count_nonzero(tail > self._density * self.block(node).size))
        lost += float(tail[k]) if k < sigma.size else 0.0
        return Factors(np.ascontiguousarray(U[:, :k]), sigma[:k].copy(), np.ascontiguousarray(V[:, :k]), lost)

    def _merged(self, node: int, below: list[Factors]) -> Factors:
        """From the children: orthonormal bases of all rows and columns, the small core between them decomposed."""
        a, b, c, d = self.tree.bounds[node].tolist()
        at = self.tree.bounds[list(self.tree.children(node))] - np.array([a, a, c, c])
        left = _bases([(r0, r1, f.U) for (r0, r1, _, _), f in zip(at.tolist(), below, strict=True)])
        right = _bases([(c0, c1, f.V) for (_, _, c0, c1), f in zip(at.tolist(), below, strict=True)])
        core = np.zeros((sum(q.shape[1] for _, _, q in left[0]), sum(q.shape[1] for _, _, q in right[0])))
        for f, (i, R), (j, T) in zip(below, left[1], right[1], strict=True):
            core[i : i + R.shape[0], j : j + T.shape[0]] += (R * f.sigma) @ T.T
        U, sigma, Vt = _svd(core)
        cut = self._cut(node, U, sigma, Vt.T, sum(f.lost for f in below))
        return Factors(_spread(left[0], b - a, cut.U), cut.sigma, _spread(right[0], d - c, cut.V), cut.lost)


Basis = list[tuple[int, int, Array]]


def _bases(pieces: list[tuple[int, int, Array]]) -> tuple[Basis, list[tuple[int, Array]]]:
    """Per range an orthonormal basis of everything that lies in it, and per piece (where its basis starts, R)."""
    ranges = sorted({(a, b) for a, b, _ in pieces})
    bases, coordinates, at = [], {}, 0
    for a, b in ranges:
        mine = [i for i, piece in enumerate(pieces) if piece[:2] == (a, b)]
        Q, R = scipy.linalg.qr(
            np.concatenate([pieces[i][2] for i in mine], axis=1), mode="economic", check_finite=False
        )
        bases.append((a, b, Q))
        begin = 0
        for i in mine:
            k = pieces[i][2].shape[1]
            coordinates[i] = (at, R[:, begin : begin + k])
            begin += k
        at += Q.shape[1]
    return bases, [coordinates[i] for i in range(len(pieces))]


def _spread(bases: Basis, size: int, small: Array) -> Array:
    made, at = np.zeros((size, small.shape[1])), 0
    for a, b, Q in bases:
        made[a:b] = Q @ small[at : at + Q.shape[1]]
        at += Q.shape[1]
    return made


def _svd(block: Any) -> tuple[Array, Array, Array]:
    if 0 in block.shape:
        return np.zeros((block.shape[0], 0)), np.zeros(0), np.zeros((0, block.shape[1]))
    try:
        U, sigma, Vt = scipy.linalg.svd(block, full_matrices=False, check_finite=False)
    except np.linalg.LinAlgError:
        U, sigma, Vt = scipy.linalg.svd(block, full_matrices=False, check_finite=False, lapack_driver="gesvd")
    return U, sigma, Vt
