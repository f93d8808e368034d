"""Windows, splines and curvature of an estimator, by the error on simulated validation draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, final

from edgepde_runtime.errors import InputError

from edgepde.train.progress import progress

from ..grid import Grid
from ..inverse.statement import Statement
from ..members.estimator import Estimator
from ..names import TIME, combination
from .draws import Draws
from .figures import scores

ALONG_TIME = ((2, 2), (3, 2), (5, 2), (7, 4))
"""Half widths and degrees along axes lambda does not depend on."""
HALVES = (4, 6, 8, 10, 13)
COUNTS = {1: (16, 32, 64), 2: (7, 10)}
"""Splines along each axis of lambda, by how many it has."""
CURVATURES = (1e-3, 1e-2, 1e-1)
MIDDLE = 1e-2
FINALISTS = 2


@final
@dataclass(frozen=True)
class Tuned:
    """The estimator of least error, that error, and all that were tried."""

    chosen: Estimator
    error: float
    tried: tuple[dict[str, Any], ...]


def tune(first: Estimator, stated: Statement, grid: Grid, validation: Draws, *, few: bool = False) -> Tuned:
    """Windows first, at middling splines; then splines and curvature for the best windows.

    few: one window in time, three in space. Raises InputError where no window fits the grid.
    """
    known: dict[Estimator, float] = {}
    tried: list[dict[str, Any]] = []
    windows = list(_windows(first, stated, grid, few))
    counts = COUNTS[len(stated.over)]
    total = len(windows) + FINALISTS * len(counts) * len(CURVATURES)
    with progress("windows and splines by validation draws", total) as bar:

        def error(how: Estimator) -> float:
            if how not in known:
                known[how] = scores(how.build(grid), validation).error
                tried.append({**how.to_json(), "error": known[how]})
                bar.note(f"half {how.half}, {how.count} splines, curvature {how.curvature:g}: {known[how]:.4f}")
            bar.advance()
            return known[how]

        best = sorted(windows, key=error)[:FINALISTS]
        if not best:
            raise InputError(f"readings: expected axes of at least {2 * HALVES[0] + 1} samples, got {list(grid.shape)}")
        finer = [replace(how, count=n, curvature=c) for how in best for n, c in product(counts, CURVATURES)]
        room = min(grid.axis(name).size for name in stated.over)
        chosen = min((*best, *(how for how in finer if how.count <= room)), key=error)
    return Tuned(chosen, known[chosen], tuple(tried))


def _windows(first: Estimator, stated: Statement, grid: Grid, few: bool) -> Iterator[Estimator]:
    """Kernels that fit the axes, degree two above the highest order."""
    pieces = (*stated.left, *stated.operator, *stated.source)
    orders = [o for p in pieces for _, o in combination(p.derivative, grid.letters)]
    room = min(grid.axis(name).size for name in stated.over)
    count = min(COUNTS[len(stated.over)][-1], room)
    alone = len(grid.axes) == 1
    times = ALONG_TIME[1:2] if few and not alone else ALONG_TIME
    for (wide, steep), half in product(times, HALVES[:3] if few else HALVES):
        halves, degrees = [], []
        for place, axis in enumerate(grid.axes):
            is_time = axis.name == TIME and not alone
            highest = max(o[place] for o in orders)
            halves.append(wide if is_time else half)
            degrees.append(steep if is_time else highest + 2)
        sizes = zip(halves, degrees, grid.shape, strict=True)
        if all(d <= 2 * h and 2 * h + 1 <= n for h, d, n in sizes):
            yield replace(first, half=tuple(halves), degree=tuple(degrees), count=count, curvature=MIDDLE)
