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

from _harness import OURS, Row, say

from edgepde.modno.branches._branch import Branch
from edgepde.modno.branches.grouped import Grouped
from edgepde.modno.training.control import with_deltas
from edgepde.modno.training.fitting import Fitted, fit
from edgepde.modno.training.grouping import clusters
from edgepde.modno.training.interference import measure
from edgepde.modno.training.settings import Fit

from ._learning import Lesson, Size, branch, geometric, kept, lesson, size

HOW = Fit(scheme="varpro", steps=200, check=20, patience=10**6, branch_rate=4e-3, rate=1e-2, balance="log", ridge=1e-7)
QUICK = replace(HOW, steps=20, check=5)
RANK, LEAST = 4, 0.0
"""Of deltas; mean cosine below which operators are kept apart."""
SHARED = "shared by all, balanced (log)"
UNIT, MEAN = "%", "geometric mean"


def rows(quick: bool, runs: Path) -> list[Row]:
    """Of the first seed: the shared branch is ours, so is what control makes of it."""
    found = kept(runs, f"interference{'-quick' if quick else ''}", lambda: _asked(size(quick), QUICK if quick else HOW))
    for line in found["said"]:
        say(f"  {line}")
    made = []
    for way, (errors, numbers, passes) in found["ways"].items():
        rival = OURS if way in (SHARED, found["deltas"]) else way
        note = f"{numbers} numbers of branches and deltas, {passes} passes"
        made.append(Row(f"{MEAN}, {way}", rival, UNIT, 100 * geometric(list(errors.values())), note=note))
        made += [Row(f"{name}, {way}", rival, UNIT, 100 * error) for name, error in errors.items()]
    worst, pair = found["worst"]
    made.append(Row("lowest cosine of two operators", OURS, "cosine", worst, note=pair))
    return made


def _asked(what: Size, how: Fit, seed: int = 0) -> dict[str, Any]:
    learned = lesson(what, seed)
    tasks = learned.spectral
    fresh: Callable[[Size], Branch] = lambda of: branch(of, tasks, seed)  # noqa: E731
    cosine = measure(fresh(what), tasks, how, seed, probes=4)
    groups = clusters(cosine, LEAST)
    said = ["cosines in hundredths:", *cosine.lines(), f"groups at {LEAST:g}: {groups}"]
    ways: dict[str, Any] = {}
    shared = fit(fresh(what), tasks, how, seed=seed, name="  shared")
    ways[SHARED] = _line(learned, shared)
    plain = fit(fresh(what), tasks, replace(how, balance="relative"), seed=seed, name="  relative")
    ways["shared by all, sum of squares"] = _line(learned, plain)
    two, seen = clusters(cosine, 1.0, 2), list[dict[str, int]]()
    apart = {name: place for place, name in enumerate(what.names)}
    for way, chosen in (("two groups", two), ("groups by cosine", groups), ("a branch for each", apart)):
        if len(set(chosen.values())) > 1 and chosen not in seen:
            seen.append(chosen)
            ways[way] = _line(learned, _grouped(what, fresh, chosen, learned, how, seed))
    adapted, changes = with_deltas(shared, tasks, replace(how, steps=how.steps // 2), RANK, seed)
    said += [f"delta of rank {RANK}: {change.line()}" for change in changes]
    deltas = f"shared by all, deltas of rank {RANK} where they help"
    ways[deltas] = _line(learned, adapted, sum(c.numbers for c in changes if c.taken))
    pairs = [(cosine.of(a, b), f"{a}, {b}") for a in what.names for b in what.names if a < b]
    return {"said": said, "ways": ways, "deltas": deltas, "worst": min(pairs)}


def _grouped(
    what: Size, fresh: Callable[[Size], Branch], chosen: dict[str, int], learned: Lesson, how: Fit, seed: int
) -> Fitted:
    """Branches narrower than the shared one, so that they store no more numbers together."""
    count = len(set(chosen.values()))
    whole = fresh(what).numbers
    share = 1.0
    while count * fresh(_narrow(what, share)).numbers > whole:
        share -= 0.02
    parts = [fresh(_narrow(what, share)) for _ in range(count)]
    return fit(Grouped.of(parts), learned.spectral, how, seed=seed, groups=chosen, name=f"  {count} groups")


def _narrow(what: Size, share: float) -> Size:
    widths = tuple(max(1, round(share * width)) for width in what.widths)
    return replace(what, widths=widths, features=max(1, round(share * what.features)))


def _line(learned: Lesson, found: Fitted, more: int = 0) -> tuple[dict[str, float], int, int]:
    errors = {name: found.error_on(name, task.held) for name, task in learned.measured.items()}
    return errors, found.branch.numbers + more, found.passes.total
