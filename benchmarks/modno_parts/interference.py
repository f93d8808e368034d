"""Do operators disturb each other on a shared branch, and what do groups, deltas and balancing change?

Seven curved operators, trunks in closed form. Cosines of the slopes that operators ask the branch for are averaged
over a training's first checks. Groups, and a branch for each, have together no more numbers than the shared branch;
deltas are trained on the shared branch while it is held and taken where validation gains 2 %. Errors on fresh cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _harness import OURS, Row, say

from edgepde.modno.branches.grouped import Grouped
from edgepde.modno.training.control import with_deltas
from edgepde.modno.training.fitting import Fitted, fit
from edgepde.modno.training.grouping import clusters
from edgepde.modno.training.interference import Cosines, measure
from edgepde.modno.training.settings import Fit

from ._learning import Lesson, Size, branch, geometric, kept, lesson, size

HOW = Fit(scheme="varpro", steps=200, check=20, patience=10**6, branch_rate=4e-3, rate=1e-2, balance="log", ridge=1e-7)
QUICK = replace(HOW, steps=20, check=5)
RANK, LEAST = 4, 0.0
"""Of deltas; mean cosine below which operators are kept apart."""
SHARED, PLAIN = "shared by all, balanced (log)", "shared by all, sum of squares"
DELTAS = f"shared by all, deltas of rank {RANK} where they help"
LARGE = "a branch for each, as large as the shared one"
Line = tuple[dict[str, float], int, int, list[str]]
"""Errors by operator, numbers, passes, what is told."""
UNIT, MEAN = "%", "interference, geometric mean"


def rows(quick: bool, runs: Path) -> list[Row]:
    """Of the first seed: the shared branch is ours."""
    what, how, seed = size(quick), QUICK if quick else HOW, 0

    def asked(name: str, make: Callable[[Lesson], Any]) -> Any:
        return kept(runs, f"interference-{'quick-' if quick else ''}{name}", lambda: make(lesson(what, seed)))

    cosines = asked("cosines", lambda learned: _cosines(what, learned, how, seed))
    cosine = Cosines(tuple(what.names), np.array(cosines))
    groups = clusters(cosine, LEAST)
    for line in ("cosines in hundredths:", *cosine.lines(), f"groups at {LEAST:g}: {groups}"):
        say(f"  {line}")
    ways = {
        SHARED: lambda learned: _line(learned, _shared(what, learned, how, seed)),
        PLAIN: lambda learned: _line(learned, _shared(what, learned, replace(how, balance="relative"), seed)),
        DELTAS: lambda learned: _with_deltas(what, learned, how, seed),
        "two groups": lambda learned: _grouped(what, clusters(cosine, 1.0, 2), learned, how, seed),
        "groups by cosine": lambda learned: _grouped(what, groups, learned, how, seed),
        "a branch for each": lambda learned: _grouped(what, _apart(what), learned, how, seed),
        LARGE: lambda learned: _grouped(what, _apart(what), learned, how, seed, narrow=False),
    }
    made = []
    for place, (way, make) in enumerate(ways.items()):
        errors, numbers, passes, said = asked(str(place), make)
        for line in said:
            say(f"  {line}")
        rival = OURS if way == SHARED else way
        note = f"{numbers} numbers of branches and deltas, {passes} passes"
        made.append(Row(MEAN, rival, UNIT, 100 * geometric(list(errors.values())), note=note))
        made += [Row(f"interference, {name}", rival, UNIT, 100 * error) for name, error in errors.items()]
    worst, pair = min((cosine.of(a, b), f"{a}, {b}") for a in what.names for b in what.names if a < b)
    return [*made, Row("lowest cosine of two operators", OURS, "cosine", worst, note=pair)]


def _cosines(what: Size, learned: Lesson, how: Fit, seed: int) -> list[list[float]]:
    tasks = learned.spectral
    found: list[list[float]] = measure(branch(what, tasks, seed), tasks, how, seed, probes=4).matrix.tolist()
    return found


def _apart(what: Size) -> dict[str, int]:
    return {name: place for place, name in enumerate(what.names)}


def _shared(what: Size, learned: Lesson, how: Fit, seed: int) -> Fitted:
    return fit(branch(what, learned.spectral, seed), learned.spectral, how, seed=seed, name=f"  shared, {how.balance}")


def _with_deltas(what: Size, learned: Lesson, how: Fit, seed: int) -> Line:
    found = _shared(what, learned, how, seed)
    made, changes = with_deltas(found, learned.spectral, replace(how, steps=how.steps // 2), RANK, seed)
    errors, numbers, passes, _ = _line(learned, made)
    said = [f"delta of rank {RANK}: {change.line()}" for change in changes]
    return errors, numbers + sum(c.numbers for c in changes if c.taken), passes, said


def _grouped(what: Size, chosen: dict[str, int], learned: Lesson, how: Fit, seed: int, narrow: bool = True) -> Line:
    """narrow: branches narrower than the shared one, so that they store no more numbers together."""
    tasks, count, share = learned.spectral, len(set(chosen.values())), 1.0
    whole = branch(what, tasks, seed).numbers
    while narrow and count * branch(_narrow(what, share), tasks, seed).numbers > whole:
        share -= 0.02
    parts = Grouped.of([branch(_narrow(what, share), tasks, seed) for _ in range(count)])
    return _line(learned, fit(parts, tasks, how, seed=seed, groups=chosen, name=f"  {count} groups"))


def _narrow(what: Size, share: float) -> Size:
    widths = tuple(max(1, round(share * width)) for width in what.widths)
    return replace(what, widths=widths, features=max(1, round(share * what.features)))


def _line(learned: Lesson, found: Fitted) -> Line:
    errors = {name: found.error_on(name, task.held) for name, task in learned.measured.items()}
    return errors, found.branch.numbers, found.passes.total, []
