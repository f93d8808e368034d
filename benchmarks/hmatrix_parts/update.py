"""When part of an operator changes: seconds and bytes of building its blocks anew against updating them."""

from __future__ import annotations

import time

import numpy as np
import torch
from _harness import OURS, Row, say
from numpy.typing import NDArray
from torch import nn

import edgepde
from edgepde.compress import Compressed
from edgepde.problems.diffusion import changed
from edgepde.problems.mesh import Disk
from edgepde.recipes.green_operator import Config, box, problem_of

Array = NDArray[np.float64]
NODES, QUICK_NODES = 2000, 500
ERROR, POWER = 1e-2, 1.0
WHERE = Disk(0.08, 0.085, 0.01)
FACTORS = {"k x 1.05 in a disk of 10 mm": 1.05, "k x 2 in a disk of 10 mm": 2.0, "k x 20 in a disk of 10 mm": 20.0}
ANEW = "built anew"
SECONDS = 600.0


def rows(quick: bool, seed: int = 0) -> list[Row]:
    """The plate's operator at one proved error, then its conductivity changed in a disk, by more and more."""
    problem = problem_of(Config(nodes=QUICK_NODES if quick else NODES), seed)
    n = len(problem.points)
    say(f"update: the first operator, n = {n}, within {ERROR} K")
    first, _ = built(problem.operator(), problem.points, None)
    made = []
    for name, factor in FACTORS.items():
        say(f"update: {name}")
        operator = problem.with_k(changed(problem.mesh, problem.k, WHERE, factor)).operator()
        drift = float(np.linalg.norm(operator - problem.operator()) / np.linalg.norm(problem.operator()))
        case = f"Green operator, n = {n}, {ERROR:g} K, {name}"
        made += _compared(case, drift, built(operator, problem.points, first), built(operator, problem.points, None))
    return made


def built(operator: Array, points: Array, previous: Compressed | None) -> tuple[Compressed, float]:
    """The operator compressed, from earlier blocks where there are any; and the seconds."""
    n = len(operator)
    layer = nn.Linear(n, n)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(operator))
        layer.bias.zero_()
    began = time.monotonic()
    made = edgepde.compress(
        layer, box(n, POWER), ERROR, points=points, previous=previous, method="hmatrix", seconds=SECONDS
    )
    return made, time.monotonic() - began


def _compared(case: str, drift: float, update: tuple[Compressed, float], anew: tuple[Compressed, float]) -> list[Row]:
    made = []
    for rival, (small, seconds) in ((OURS, update), (ANEW, anew)):
        total, error = small.ledger["total"], small.ledger["error"]["value"]
        note = f"proved {error:.3g} K"
        if rival == OURS:
            note += f"; the operator moved by {drift:.2g}; {small.ledger['update']['outcome']}"
        made.append(Row(case, rival, "s", seconds, note=note))
        made.append(Row(case, rival, "x fewer bytes", total["bytes_before"] / total["bytes_after"], goal=">="))
        if rival == OURS:
            made.append(Row(case, rival, "bytes written", float(written(small)), note="blocks that are new"))
        else:
            made.append(Row(case, rival, "bytes written", float(total["bytes_after"])))
    return made


def written(small: Compressed) -> int:
    """Bytes of the blocks that an update made; all of them where it compressed anew."""
    parts = small.ledger["update"]["parts"].values()
    anew = "anew" in small.ledger["update"]["outcome"]
    return small.ledger["total"]["bytes_after"] if anew else sum(int(part["made_bytes"]) for part in parts)
