"""How good the references are: every operator against itself with finer steps and more points.

python -m edgepde.problems.operators --cases 100
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
from edgepde_runtime import render

from edgepde.problems.operator_inputs import KINDS

from ..fourier import Real, resized
from . import names, operator
from ._operator import Operator
from ._semilinear import Semilinear

FRAMES = 8
HEAD = ("operator", "equation", "inputs", "horizon", "error, middle", "error, worst", "seconds for 300")


def differences(how: Semilinear, cases: int, seed: int) -> tuple[Real, float]:
    """Relative L2 difference [N] to half the step and 3/2 of the points, over all times; seconds per case."""
    start = how.initial(KINDS[how.inputs](cases, np.random.default_rng(seed), how.period))
    times = how.horizon * np.arange(1, FRAMES + 1) / FRAMES
    began = time.perf_counter()
    found = how.evolve(start, times)
    seconds = (time.perf_counter() - began) / cases
    finer = replace(how, step=0.5 * how.step, points=how.points * 3 // 2).evolve(start, times)
    gap = np.linalg.norm(resized(found, finer.shape[-1] - 1) - finer, axis=(1, 2))
    return np.asarray(gap / np.linalg.norm(finer, axis=(1, 2))), seconds


def row(how: Operator, cases: int, seed: int) -> tuple[str, ...]:
    """One line of the table."""
    own = (how.name, how.statement, how.inputs, f"{how.horizon:g}")
    if not isinstance(how, Semilinear):
        return (*own, "exact", "exact", "0")
    errors, seconds = differences(how, cases, seed)
    return (*own, f"{np.median(errors):.1e}", f"{errors.max():.1e}", f"{300.0 * seconds:.1f}")


def main() -> None:
    """Print the table."""
    made = argparse.ArgumentParser(prog="python -m edgepde.problems.operators", description="Errors of references.")
    made.add_argument("--cases", type=int, default=100, metavar="N", help="of every operator (default: 100)")
    made.add_argument("--seed", type=int, default=5, metavar="N", help="of the inputs (default: 5)")
    given = made.parse_args()
    rows = [row(operator(name), given.cases, given.seed) for name in names()]
    print(render.table(rows, HEAD, right=range(3, len(HEAD))))


if __name__ == "__main__":
    main()
