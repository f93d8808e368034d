"""Error over depth: does it pile up from layer to layer, in blocks and for singular values at equal storage?

Two kinds of networks: layers that are integral operators with kernels smooth off the diagonal, on a grid, against their
own limit on a finer grid; PINNs of Burgers, against Cole-Hopf. Kernels and hidden matrices are compressed, errors
weighed with the root mean square of what a column multiplies, in both forms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from _harness import OURS, Row, say
from numpy.typing import NDArray

from edgepde.hmatrix.clusters import ClusterTree
from edgepde.hmatrix.compressing import compress
from edgepde.hmatrix.config import HConfig
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

    exact: what the output should be. order: whether units are re-ordered. The share of dense storage that is allowed,
    or the relative error of every matrix.
    """

    matrices: list[Array]
    reads: list[Array]
    apply: Apply
    exact: Array
    order: bool
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
    cut = [_truncated(m, r, n) for m, r, n in zip(net.matrices, net.reads, numbers, strict=True)]
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
    size = np.sqrt((reads**2).mean(axis=0)).clip(1e-12)
    trees: tuple[ClusterTree | None, ClusterTree | None] = (None, None)
    if net.order:
        trees = by_signature(torch.from_numpy(reads @ matrix.T)), by_signature(torch.from_numpy(reads))
    if net.share is None:
        made = compress(matrix * size, HConfig(leaf=LEAF, eps=net.eps), *trees, dtype="float64")
        return made.dense() / size, made.numbers
    low, high, best = -8.0, 0.0, None
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        made = compress(matrix * size, HConfig(leaf=LEAF, eps=min(10.0**middle, 0.999)), *trees, dtype="float64")
        fits = made.numbers <= net.share * matrix.size
        best, low, high = (made, low, middle) if fits else (best, middle, high)
    if best is None:
        return np.zeros_like(matrix), 0
    return best.dense() / size, best.numbers


def _truncated(matrix: Array, reads: Array, numbers: int) -> tuple[Array, int]:
    """As many singular values, of the matrix weighed alike, as these numbers hold, rounded to the nearest rank."""
    size = np.sqrt((reads**2).mean(axis=0)).clip(1e-12)
    rank = round(numbers / sum(matrix.shape))
    U, s, V = np.linalg.svd(matrix * size)
    return (U[:, :rank] * s[:rank]) @ V[:rank] / size, rank * sum(matrix.shape)


def _integral(depth: int, seed: int) -> Net:
    """u -> tanh(u / 2 + int K_l(s, t) u(t) dt), K_l = (1 + cos(w_l (s + t)) / 2) exp(-|s - t| / c_l), of norm 1."""
    rng = np.random.default_rng(seed)
    lengths, waves = rng.uniform(0.05, 0.3, max(DEPTHS))[:depth], rng.uniform(1.0, 6.0, max(DEPTHS))[:depth]
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
        reads.append(_through(reads[-1], [matrix]))

    def apply(given: Sequence[Array]) -> Array:
        return _through(start, given)

    fine, finer = layers(GRID * FINER, norms)
    exact = _through(fine, finer).reshape(INPUTS, GRID, FINER).mean(axis=2)
    return Net(matrices, reads, apply, exact, False, eps=EPS)


def _through(u: Array, matrices: Sequence[Array]) -> Array:
    for matrix in matrices:
        u = np.tanh(0.5 * u + u @ matrix.T)
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
    return Net([w for w, _ in net[1:-1]], reads[:-1], apply, exact, True, share=SHARE)
