"""Solution operator of heat conduction on an unstructured mesh: how much smaller at one relative Frobenius error?"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from _harness import OURS, Row, say
from numpy.typing import NDArray

from edgepde.certify.linear import bound_linear
from edgepde.certify.network import Affine, Blocks, Gather, Input, Network
from edgepde.hmatrix import clusters
from edgepde.hmatrix.clusters import ClusterTree
from edgepde.hmatrix.compressing import compress
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HMatrix
from edgepde.hmatrix.seriation import from_entries
from edgepde.recipes.green_operator import Config, box, problem_of

Array = NDArray[np.float64]
NODES, QUICK_NODES, SMALL_NODES, LEAF = 4000, 700, 900, 32
TARGETS = {1e-3: 15.0, 1e-6: 10.0}
NUMBERS, BYTES, RELATIVE, KELVIN = "x fewer float32 numbers", "x fewer bytes", "relative Frobenius", "K"
SVD, CLASSICAL = "global SVD", "ours, low rank by distance only (eta 2)"
RECOVERED, LOST = "ours, order lost, from entries alone", "ours, order lost and left so"


@dataclass(frozen=True)
class Case:
    """G [n, n] of points [n, 2], its singular values."""

    operator: Array
    points: Array
    sigma: Array
    quick: bool

    def called(self, eps: float) -> str:
        """The case at a relative Frobenius error."""
        return f"Green operator, n = {len(self.operator)}, {eps:g}"


def rows(quick: bool, seed: int = 0) -> list[Row]:
    """Both errors; with quick a smaller mesh, and no targets, which are for n = 4,000."""
    case = obtain(QUICK_NODES if quick else NODES, quick, seed)
    small = obtain(SMALL_NODES, True, seed)
    return [row for eps in TARGETS for row in (*_at(case, eps, seed), *_left(small, eps, seed))]


def obtain(nodes: int, quick: bool, seed: int) -> Case:
    """The operator of the recipe's plate."""
    say(f"operator of at least {nodes} points, and its singular values")
    problem = problem_of(Config(nodes=nodes), seed)
    operator = problem.operator()
    return Case(operator, problem.points, np.linalg.svd(operator, compute_uv=False), quick)


def _at(case: Case, eps: float, seed: int) -> list[Row]:
    """Every way of ordering at one error, the global decomposition beside it."""
    n, name = len(case.operator), case.called(eps)
    by_points = (clusters.from_points(case.points, LEAF),) * 2
    ours, note = compressed(case.operator, by_points, eps)
    target = None if case.quick else TARGETS[eps]
    made = [Row(name, OURS, NUMBERS, 1.0 / ours.storage_ratio, target, ">=", note=note)]
    made += _errors(case, name, ours, eps)
    halves, note = compressed(case.operator, by_points, eps, half=True)
    made.append(Row(name, OURS, BYTES, 1.0 / halves.bytes_ratio, goal=">=", note=f"halves where they pay; {note}"))
    made += _errors(case, f"{name}, halves", halves, eps)
    smaller, note = global_svd(case.sigma, n, eps)
    made.append(Row(name, SVD, NUMBERS, smaller, goal=">=", note=note))
    lost = shuffled(case.operator, seed)
    found, note = compressed(lost, from_entries(lost, LEAF), eps)
    made.append(Row(name, RECOVERED, NUMBERS, 1.0 / found.storage_ratio, goal=">=", note=note))
    classical, note = compressed(case.operator, by_points, eps, eta=2.0)
    made.append(Row(name, CLASSICAL, NUMBERS, 1.0 / classical.storage_ratio, goal=">=", note=note))
    return made


def _left(case: Case, eps: float, seed: int) -> list[Row]:
    """What is left where the order is lost and nobody looks for it; smaller, for blocks that do not pay take long."""
    name, lost = case.called(eps), shuffled(case.operator, seed)
    trees = clusters.from_points(case.points, LEAF), clusters.in_order(len(lost), LEAF)
    made = []
    for rival, matrix, tree in ((OURS, case.operator, trees[0]), (LOST, lost, trees[1])):
        other, note = compressed(matrix, (tree, tree), eps)
        made.append(Row(name, rival, NUMBERS, 1.0 / other.storage_ratio, goal=">=", note=note))
    return made


def shuffled(matrix: Array, seed: int) -> Array:
    """Rows and columns in one random order."""
    order = np.random.default_rng(seed).permutation(len(matrix))
    return np.asarray(matrix[np.ix_(order, order)])


def compressed(
    matrix: Array, trees: tuple[ClusterTree, ClusterTree], eps: float, half: bool = False, eta: float | None = None
) -> tuple[HMatrix, str]:
    """The matrix as blocks; how many of which ranks, and seconds."""
    say(f"{len(matrix)} x {len(matrix)} at {eps:g}")
    began = time.perf_counter()
    made = compress(matrix, HConfig(eps=eps, leaf=LEAF, eta=eta), *trees, half=half)
    return made, f"{blocks(made)}, {time.perf_counter() - began:.0f} s"


def _errors(case: Case, name: str, ours: HMatrix, eps: float) -> list[Row]:
    """What ours is off by: measured, as its blocks state it, and at most for any source, proved."""
    norm = float(np.linalg.norm(case.operator))
    relative = float(np.linalg.norm(ours.dense() - case.operator)) / norm
    bound = bound_linear(dense_network(case.operator), network(ours), box(len(case.operator), 1.0))
    largest = float(np.abs(case.operator).sum(axis=1).max())
    note = f"proved for every |f| <= 1 MW/m^3; u reaches {largest:.2f} K"
    return [
        Row(name, OURS, RELATIVE, relative, eps, note=f"errors of the blocks, summed: {ours.error / norm:.3e}"),
        Row(name, OURS, KELVIN, float(np.max(bound.value)), note=note),
    ]


def dense_network(matrix: Array) -> Network:
    """x -> A x."""
    held = torch.from_numpy(matrix)
    return Network((Input(held.shape[1]), Affine((0,), held, held.new_zeros(len(held)))))


def network(made: HMatrix) -> Network:
    """x -> H x, gathered into cluster order and back."""
    order, back = made.column_order, np.argsort(made.row_order)
    bias = torch.zeros(made.shape[0], dtype=torch.float64)
    core = Blocks((1,), made.packed(half=True), bias)
    return Network(
        (Input(made.shape[1]), Gather((0,), torch.from_numpy(order)), core, Gather((2,), torch.from_numpy(back)))
    )


def global_svd(sigma: Array, n: int, eps: float) -> tuple[float, str]:
    """How many times fewer numbers the two factors of a truncated decomposition hold; 1 where dense is smaller."""
    left = np.sqrt(np.cumsum(sigma[::-1] ** 2)[::-1])
    rank = int(np.count_nonzero(left > eps * left[0]))
    kept = "kept dense: " if 2 * rank >= n else ""
    return max(1.0, n / (2.0 * rank)), f"{kept}rank {rank}"


def blocks(made: HMatrix) -> str:
    """How many blocks of which ranks."""
    held = made.rank_histogram()
    ranks = [rank for rank in held if rank is not None]
    return f"{held.get(None, 0)} dense, {sum(held[r] for r in ranks)} of rank <= {max(ranks, default=0)}"
