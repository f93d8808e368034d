"""Clusters of operators that share a branch, from the cosines of their slopes."""

from __future__ import annotations

import copy

import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from edgepde.errors import SettingError

from ..branches import build
from ..branches._branch import Branch
from ..branches.grouped import Grouped
from .interference import Cosines


def clusters(found: Cosines, least: float = 0.0, most: int = 0) -> dict[str, int]:
    """A group for every operator, numbered in the order of the operators.

    Average linkage on 1 - cosine: groups join while their mean cosine is at least `least`, and further until there are
    at most `most` of them where that is not 0. SettingError for a `least` that is no cosine.
    """
    if not -1.0 <= least <= 1.0:
        raise SettingError(f"least: expected a cosine from -1 to 1, got {least}")
    if len(found.names) < 2:
        return dict.fromkeys(found.names, 0)
    away = 1.0 - 0.5 * (found.matrix + found.matrix.T)
    tree = linkage(squareform(away, checks=False), "average")
    marks = fcluster(tree, 1.0 - least, "distance")
    if most and len(set(marks)) > most:
        marks = fcluster(tree, most, "maxclust")
    order: dict[int, int] = {}
    return {name: order.setdefault(int(mark), len(order)) for name, mark in zip(found.names, marks, strict=True)}


def separated(branch: Branch, count: int) -> Grouped:
    """So many copies of a branch side by side, to be trained apart."""
    return Grouped.of([copy.deepcopy(branch) for _ in range(count)])


def fresh(branch: Branch, count: int, seed: int) -> Grouped:
    """So many branches of its shape with fresh weights of their own; in its dtype."""
    dtype = next(branch.parameters()).dtype
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Grouped.of([build(branch.description()).to(dtype) for _ in range(count)])
