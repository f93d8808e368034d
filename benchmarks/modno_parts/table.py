"""How wrong is the shared model, and how wrong are its rivals, on each operator for each seed?

Relative L2 errors in the mean over test cases, on points and at times that no training saw (mixes: up to 1.25 of the
last training time). Separate nets have at least as many numbers as the shared branch and that operator's cassette; all
are trained until validation stalls: the rate is cut where so many checks bring no gain, and it ends after the last cut.
Won or tied: at most 2 % above the separate net's error. Progress says the table of every seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _harness import OURS, Row, say
from edgepde_runtime import render

from edgepde.problems import operators
from modno_parts import _study
from modno_parts._all import RIVALS, SEPARATE, Errors, contest
from modno_parts._ours import Ours
from modno_parts._study import Plan, Study

TIE, USED = 1.02, 1.02
"""An error of so much times another's is a tie; an operator uses the branch where zeroing it costs so much."""
UNIT = "%"
GOALS = {"linear": 0.1, "viscous_burgers": 3.0, "cahn_hilliard": 1.5}


@dataclass(frozen=True)
class Line:
    """One operator of one seed: errors in percent by rival, up to the horizon and over all test times.

    branchless: ours where the shared features are zero. read, features: how many of them have a weight.
    """

    name: str
    seed: int
    errors: Mapping[str, float]
    within: Mapping[str, float]
    branchless: float
    read: int
    features: int

    @property
    def ratio(self) -> float:
        """Ours over the separate net's."""
        return self.errors[OURS] / self.errors[SEPARATE]

    @property
    def verdict(self) -> str:
        """win, tie or loss against the separate net."""
        return "win" if self.ratio < 1.0 / TIE else "tie" if self.ratio <= TIE else "LOSS"

    @property
    def uses_branch(self) -> bool:
        """Whether the shared features carry any of the accuracy."""
        return self.read > 0 and self.branchless > USED * self.errors[OURS]


def rows(quick: bool, runs: Path) -> list[Row]:
    """A row per operator and rival in the median over seeds, then goals."""
    made = _study.plan(quick)
    lines = [line for seed in made.seeds for line in table(runs, made, seed)]
    found = [row for name in made.names for row in _operator(name, [one for one in lines if one.name == name], quick)]
    return found + _goals(lines, made, quick)


def table(runs: Path, made: Plan, seed: int) -> list[Line]:
    """All operators of a seed, said as a table."""
    all_of = contest(runs, made, seed)
    _study.separate(runs, made, seed)
    lines = []
    for name in made.names:
        say(f"  {name}, seed {seed}")
        data = all_of.study(name)
        lines.append(_line(data, all_of.errors(name, data.test), all_of.ours))
    say(f"\nseed {seed}: relative L2 errors in %\n{said(lines)}\n")
    return lines


def said(lines: Sequence[Line]) -> str:
    """Sixteen rows as people read them."""
    known = [rival for rival in (OURS, *RIVALS) if rival in lines[0].errors]
    header = ("operator", *known, "", "without branch", "features read")
    body = [
        (
            one.name,
            *(render.number(one.errors[rival]) for rival in known),
            one.verdict,
            render.number(one.branchless),
            f"{one.read} of {one.features}{'' if one.uses_branch else ', no use'}",
        )
        for one in lines
    ]
    return render.table(body, header, right=tuple(range(1, len(known) + 1)))


def _line(data: Study, found: Mapping[str, Errors], ours: Ours) -> Line:
    whole, within = ({rival: 100.0 * float(part[k].mean()) for rival, part in found.items()} for k in range(2))
    without = 100.0 * ours.without_branch(data.name, data.test)
    return Line(data.name, data.seed, whole, within, without, *ours.features(data.name))


def _operator(name: str, lines: Sequence[Line], quick: bool) -> list[Row]:
    """Median over seeds of every rival, with least and largest."""
    made = []
    beyond = any(one.errors[OURS] != one.within[OURS] for one in lines)
    for rival in (OURS, *RIVALS):
        note = ""
        if rival == OURS:
            uses = sum(one.uses_branch for one in lines)
            note = f"{', '.join(one.verdict for one in lines)}; {lines[0].read} of {lines[0].features} features"
            note += f"; branch of use in {uses} of {len(lines)}"
        target = _goal(name) if rival == OURS and not quick else None
        some = [one for one in lines if rival in one.errors]
        made.append(_median(name, rival, [one.errors[rival] for one in some], note, target))
        if beyond:
            made.append(_median(f"{name}, up to the horizon", rival, [one.within[rival] for one in some]))
    return made


def _median(case: str, rival: str, errors: Sequence[float], note: str = "", target: float | None = None) -> Row:
    return Row(case, rival, UNIT, float(np.median(errors)), target, spread=(min(errors), max(errors)), note=note)


def _goal(name: str) -> float | None:
    return GOALS["linear"] if operators.operator(name).is_linear else GOALS.get(name)


def _goals(lines: Sequence[Line], made: Plan, quick: bool) -> list[Row]:
    """Operators won or tied, and those that use the branch, in the worst seed."""
    found = []
    for seed in made.seeds:
        own = [one for one in lines if one.seed == seed]
        lost = [f"{one.name} ({one.ratio:.2f})" for one in own if one.verdict == "LOSS"]
        idle = [one.name for one in own if not one.uses_branch]
        marks = (None, None) if quick else (16.0, 12.0)
        won = Row(
            f"won or tied against {SEPARATE}, seed {seed}", OURS, "operators", len(own) - len(lost), marks[0], ">="
        )
        used = Row(
            f"read the shared branch to effect, seed {seed}", OURS, "operators", len(own) - len(idle), marks[1], ">="
        )
        found += [
            _noted(won, f"lost: {', '.join(lost) or 'none'}"),
            _noted(used, f"do as well without: {', '.join(idle) or 'none'}"),
        ]
    return found


def _noted(row: Row, note: str) -> Row:
    return Row(row.case, row.rival, row.unit, row.measured, row.target, row.goal, note=note)
