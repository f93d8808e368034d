"""Error over depth: does it pile up from layer to layer, in blocks and for singular values at equal storage?

Two kinds of networks: layers that are integral operators with kernels smooth off the diagonal, on a grid, against their
own limit on a finer grid; PINNs of Burgers, against Cole-Hopf. Every kernel is held in blocks within a relative error,
every hidden matrix within a share of its numbers: its units are re-ordered by their activations, and what blocks hold
on the left is fitted to them. The rival is the singular value decomposition of as many numbers, of hidden matrices the
activation-aware one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from _harness import OURS, Row, say
from numpy.typing import NDArray

from edgepde.hmatrix.compressing import compress
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HMatrix
from edgepde.problems.burgers import cole_hopf

from .rivals._blocks import by_signature
from .trained import BOX, NU, obtain

Array = NDArray[np.float64]
Apply = Callable[[Sequence[Array]], Array]
GRID, FINER, INPUTS, POINTS, WIDTH, LEAF = 256, 4, 64, 4000, 64, 16
SVD = "SVD, same storage"
DEPTHS, QUICK_DEPTHS = (2, 3, 4, 6, 8, 10), (2, 6)
EPS, SHARE, HALVINGS, MODES = 1e-3, 0.75, 12, 40


@dataclass(frozen=True)
class Net:
    """matrices: those that are compressed. reads: what each multiplies [N, n]. apply(matrices) is the output.

    exact: what the output should be. share: of dense storage that is allowed for hidden units; else the relative error
    of every matrix.
    """

    matrices: list[Array]
    reads: list[Array]
    apply: Apply
    exact: Array
    share: float | None = None
    eps: float = 0.0


@dataclass(frozen=True)
class Point:
    """One network compressed in one form: its share of dense, errors relative to the dense network and to the truth."""

    kind: str
    depth: int
    form: str
    share: float
    change: float
    error: float
    dense_error: float


def rows(quick: bool, runs: Path, seed: int = 0, plot: Path | None = None) -> list[Row]:
    """Both kinds at all depths; quick: integral layers alone."""
    points = measured(quick, runs, seed)
    if plot is not None:
        from ._depth_plot import draw

        draw(points, plot)
    return [row for point in points for row in _told(point)] + _growth(points)


def measured(quick: bool, runs: Path, seed: int) -> list[Point]:
    """All networks in both forms."""
    points = []
    for depth in QUICK_DEPTHS if quick else DEPTHS:
        say(f"integral layers, depth {depth}")
        points += _both("integral layers", depth, _integral(depth, seed))
    for depth in () if quick else tuple(d for d in DEPTHS if d != 3):
        say(f"PINN, depth {depth}")
        points += _both("PINN", depth, _pinn(runs, depth, seed))
    return points


def _told(point: Point) -> list[Row]:
    case, note = f"{point.kind}, depth {point.depth}", f"storage {point.share:.3g} of dense"
    against = f"{note}; the dense network itself {point.dense_error:.2g}"
    return [
        Row(f"{case}: against the dense network", point.form, "relative L2", point.change, note=note),
        Row(f"{case}: against the truth", point.form, "relative L2", point.error, note=against),
    ]


def _growth(points: list[Point]) -> list[Row]:
    """The error of the deepest over that of the shallowest network."""
    made = []
    for kind, form in dict.fromkeys((p.kind, p.form) for p in points):
        few = sorted((p for p in points if (p.kind, p.form) == (kind, form)), key=lambda p: p.depth)
        case = f"{kind}, {form}: error at depth {few[-1].depth} over depth {few[0].depth}"
        made.append(Row(case, form, "x", few[-1].change / max(few[0].change, 1e-300)))
    return made


def _both(kind: str, depth: int, net: Net) -> list[Point]:
    made = [_blocks(m, r, net) for m, r in zip(net.matrices, net.reads, strict=True)]
    numbers = [n for _, n in made]
    cut = [_truncated(m, r, n, net) for m, r, n in zip(net.matrices, net.reads, numbers, strict=True)]
    dense, whole = net.apply(net.matrices), sum(m.size for m in net.matrices)
    points = []
    for form, matrices, held in (
        (OURS, [m for m, _ in made], sum(numbers)),
        (SVD, [m for m, _ in cut], sum(n for _, n in cut)),
    ):
        got = net.apply(matrices)
        errors = (_relative(got, dense), _relative(got, net.exact), _relative(dense, net.exact))
        points.append(Point(kind, depth, form, held / whole, *errors))
    return points


def _relative(got: Array, wanted: Array) -> float:
    return float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))


def _blocks(matrix: Array, reads: Array, net: Net) -> tuple[Array, int]:
    """The matrix in blocks, and how many numbers they are; for a share of its numbers the tolerance is bisected."""
    if net.share is None:
        made = compress(matrix, HConfig(leaf=LEAF, eps=net.eps), dtype="float64")
        return made.dense(), made.numbers
    size = np.sqrt((reads**2).mean(axis=0)).clip(1e-12)
    trees = by_signature(torch.from_numpy(reads @ matrix.T)), by_signature(torch.from_numpy(reads))
    low, high, best = -8.0, 0.0, None
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        made = compress(matrix * size, HConfig(leaf=LEAF, eps=min(10.0**middle, 0.999)), *trees, dtype="float64")
        fits = made.numbers <= net.share * matrix.size
        best, low, high = (made, low, middle) if fits else (best, middle, high)
    if best is None:
        return np.zeros_like(matrix), 0
    return _refit(best, matrix, reads, size), best.numbers


def _refit(made: HMatrix, matrix: Array, reads: Array, size: Array) -> Array:
    """What blocks hold on the left by least squares on what the layer reads, row by row of the partition."""
    ordered, x = matrix[np.ix_(made.row_order, made.column_order)], reads[:, made.column_order]
    gram, scale = x.T @ x / len(x), size[made.column_order]
    gram = gram + 1e-12 * np.trace(gram) / len(gram) * np.eye(len(gram))
    fitted = np.zeros_like(ordered)
    ends = sorted({end for block in made.blocks for end in block.rows})
    for start, stop in pairwise(ends):
        features = []
        for block in made.blocks:
            if block.rows[0] <= start and stop <= block.rows[1]:
                inner = np.eye(block.shape[1]) if block.right is None else block.right.T / scale[slice(*block.columns)]
                wide = np.zeros((len(inner), len(scale)))
                wide[:, slice(*block.columns)] = inner
                features.append(wide)
        spread = np.concatenate(features)
        if len(spread):
            fitted[start:stop] = (
                np.linalg.lstsq(spread @ gram @ spread.T, spread @ gram @ ordered[start:stop].T)[0].T @ spread
            )
    whole = np.empty_like(fitted)
    whole[np.ix_(made.row_order, made.column_order)] = fitted
    return whole


def _truncated(matrix: Array, reads: Array, numbers: int, net: Net) -> tuple[Array, int]:
    """As many singular values as these numbers hold, rounded to the nearest rank."""
    rank = round(numbers / sum(matrix.shape))
    root = np.eye(len(matrix.T))
    if net.share is not None:
        moment = reads.T @ reads / len(reads)
        root = np.linalg.cholesky(moment + 1e-12 * np.trace(moment) / len(moment) * np.eye(len(moment)))
    U = np.linalg.svd(matrix @ root)[0][:, :rank]
    return U @ (U.T @ matrix), rank * sum(matrix.shape)


def _integral(depth: int, seed: int) -> Net:
    """u -> u +- tanh(int K_l(s, t) u(t) dt) / 2, K_l = (1 + cos(w_l (s + t)) / 2) exp(-|s - t| / c_l), of norm 1."""
    rng = np.random.default_rng(seed)
    lengths, waves = rng.uniform(0.1, 0.2, max(DEPTHS))[:depth], rng.uniform(2.0, 5.0, max(DEPTHS))[:depth]
    coefficients = 2.0 * rng.normal(size=(INPUTS, MODES)) / np.arange(1, MODES + 1)

    def layers(n: int, norms: list[float]) -> tuple[Array, list[Array]]:
        s = (np.arange(n) + 0.5) / n
        far = np.abs(s[:, None] - s)
        kernels = [
            (1.0 + 0.5 * np.cos(w * (s[:, None] + s))) * np.exp(-far / c) / n
            for c, w in zip(lengths, waves, strict=True)
        ]
        modes = np.stack([np.sin((k + 1) * np.pi * s) for k in range(MODES)])
        norms += [float(np.linalg.norm(k, 2)) for k in kernels[len(norms) :]]
        return coefficients @ modes, [k / norm for k, norm in zip(kernels, norms, strict=True)]

    norms: list[float] = []
    start, matrices = layers(GRID, norms)
    reads = [start]
    for matrix in matrices[:-1]:
        reads.append(_through(reads[-1], [matrix], len(reads) - 1))

    def apply(given: Sequence[Array]) -> Array:
        return _through(start, given)

    fine, finer = layers(GRID * FINER, norms)
    exact = _through(fine, finer).reshape(INPUTS, GRID, FINER).mean(axis=2)
    return Net(matrices, reads, apply, exact, eps=EPS)


def _through(u: Array, matrices: Sequence[Array], first: int = 0) -> Array:
    for place, matrix in enumerate(matrices, first):
        u = u + (-1.0) ** place * 0.5 * np.tanh(u @ matrix.T)
    return u


def _pinn(runs: Path, depth: int, seed: int) -> Net:
    net = obtain(runs, WIDTH, depth, seed).layers
    x = BOX.sample(POINTS, np.random.default_rng(seed))
    reads, h = [], x
    for weight, bias in net[:-1]:
        h = np.tanh(h @ weight.T + bias)
        reads.append(h)

    def apply(given: Sequence[Array]) -> Array:
        h = reads[0]
        for weight, (_, bias) in zip(given, net[1:-1], strict=True):
            h = np.tanh(h @ weight.T + bias)
        return np.asarray(h @ net[-1][0].T + net[-1][1])

    exact = cole_hopf(np.array([[NU]]), x)[0][:, None]
    return Net([w for w, _ in net[1:-1]], reads[:-1], apply, exact, share=SHARE)
