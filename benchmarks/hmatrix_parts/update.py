"""A conductivity changes locally: how much of a compressed solution operator is built and sent again?"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from _harness import OURS, Row, say
from numpy.typing import NDArray

from edgepde.hmatrix import clusters
from edgepde.hmatrix.clusters import ClusterTree
from edgepde.hmatrix.compressing import compress
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HBlock, HMatrix
from edgepde.hmatrix.update import update
from edgepde.problems.diffusion import Diffusion, changed
from edgepde.problems.mesh import Disk
from edgepde.recipes.green_operator import Config, problem_of

Array = NDArray[np.float64]
NODES, QUICK_NODES, EPS = 2000, 500, 1e-3
WHERE = Disk(0.015, 0.085, 0.006)
FACTORS = (1.02, 1.2, 3.0)
ANEW = "built anew"


@dataclass(frozen=True)
class Built:
    """The operator before the change, as blocks, its trees."""

    problem: Diffusion
    old: HMatrix
    trees: tuple[ClusterTree, ClusterTree]


def rows(quick: bool, seed: int = 0) -> list[Row]:
    """Three sizes of a change in a disk of 6 mm near a corner."""
    problem = problem_of(Config(nodes=QUICK_NODES if quick else NODES), seed)
    tree = clusters.from_points(problem.points)
    built = Built(problem, compress(problem.operator(), HConfig(eps=EPS), tree, tree), (tree, tree))
    return [row for factor in FACTORS for row in _after(built, factor)]


def _after(built: Built, factor: float) -> list[Row]:
    mesh, old = built.problem.mesh, built.old
    matrix = built.problem.with_k(changed(mesh, built.problem.k, WHERE, factor)).operator()
    case = f"n = {len(matrix)}, k times {factor:g} in {int((WHERE.distance(mesh.centres) < 0).sum())} triangles"
    say(f"update: {case}")
    began = time.perf_counter()
    new, change = update(old, matrix, *built.trees)
    ours = time.perf_counter() - began
    began = time.perf_counter()
    anew = compress(matrix, old.config, *built.trees)
    theirs = time.perf_counter() - began
    note = f"{untouched(old, new)} of {len(old.blocks)} blocks stay bit for bit; {len(new.blocks)} blocks after"
    relative = float(np.linalg.norm(new.dense() - matrix) / np.linalg.norm(matrix))
    stale = float(np.linalg.norm(old.dense() - matrix) / np.linalg.norm(matrix))
    return [
        Row(case, OURS, "s", ours, note=note),
        Row(case, ANEW, "s", theirs),
        Row(case, OURS, "KB to send", change.made_bytes / 1e3, note=f"{new.nbytes / 1e3:.0f} KB held"),
        Row(case, ANEW, "KB to send", anew.nbytes / 1e3),
        Row(case, OURS, "relative Frobenius", relative, EPS, note="against the new operator"),
        Row(case, "not updated", "relative Frobenius", stale),
    ]


def untouched(old: HMatrix, new: HMatrix) -> int:
    """How many blocks hold the same numbers in the same place."""
    before = {(block.rows, block.columns): block for block in old.blocks}
    return sum((b.rows, b.columns) in before and _same(before[b.rows, b.columns], b) for b in new.blocks)


def _same(a: HBlock, b: HBlock) -> bool:
    pairs = ((a.values, b.values), (a.left, b.left), (a.right, b.right))
    return all(x is y or (x is not None and y is not None and np.array_equal(x, y)) for x, y in pairs)
