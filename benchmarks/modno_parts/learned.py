"""Which branch is best: the closed form's, that after gradients, or an MLP learned by variable projection?

The same operators, cases and mirror images, no cases from their equations; trunks, penalties and ranks
are chosen on validation cases for each. Errors on fresh cases; numbers are those of the branch alone. The closed
form is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from _harness import OURS, Row, say

from edgepde.modno.closed_form import Closed, fit
from edgepde.modno.closed_form.features import Shared
from edgepde.modno.closed_form.member import Member
from edgepde.modno.closed_form.solving import branch
from edgepde.modno.figures import errors
from edgepde.modno.training.learned import VARPRO, Learned, Learner
from edgepde.modno.training.polishing import POLISH, polish

from ._learning import Size, drawn, geometric, kept

OPERATORS = ("viscous_burgers", "cahn_hilliard", "kdv")
HOW = Closed(features=128, more=0)
CLOSED, POLISHED, LEARNED = "closed form", "closed form, then gradients", "MLP by variable projection"
UNIT, MEAN = "%", "branches, geometric mean"
Learn = Callable[[Sequence[Member]], Shared]


def rows(quick: bool, runs: Path) -> list[Row]:
    """Of the first seed."""
    what = Size(OPERATORS[:2], 60, 30, 30, (32,), 16) if quick else Size(OPERATORS, 300, 100, 200, (128, 128), 128)
    how = replace(HOW, units=64, features=16, rank=16) if quick else HOW
    polishing = replace(POLISH, steps=10 if quick else 60, check=10, branch_rate=1e-4)
    learning = replace(VARPRO, steps=40 if quick else VARPRO.steps)
    said: list[str] = []

    def polished(members: Sequence[Member]) -> Shared:
        found = polish(branch(members, how).branch(), members, polishing)
        said.extend(f"gradients, validation: {line}" for line in found.lines())
        return Learned(found.branch)

    ways: dict[str, Learn | None] = {
        CLOSED: None,
        POLISHED: polished,
        LEARNED: Learner(what.widths, what.features, learning),
    }
    made = []
    for place, (way, learn) in enumerate(ways.items()):
        key = f"learned-{'quick-' if quick else ''}{place}"
        found = kept(runs, key, lambda learn=learn: _asked(what, how, learn, said))  # type: ignore[misc]
        for line in found["said"]:
            say(f"  {line}")
        note = f"{found['numbers']} numbers, validation {100 * geometric(list(found['validation'].values())):.3g} %"
        errors_of = found["errors"]
        made.append(Row(MEAN, _rival(way), UNIT, 100 * geometric(list(errors_of.values())), note=note))
        made += [Row(f"branches, {name}", _rival(way), UNIT, 100 * error) for name, error in errors_of.items()]
    return made


def _rival(way: str) -> str:
    return OURS if way == CLOSED else way


def _asked(what: Size, how: Closed, learn: Learn | None, said: list[str], seed: int = 0) -> dict[str, Any]:
    parts = [drawn(what, name, seed) for name in what.names]
    train, held, fresh = (list(one) for one in zip(*parts, strict=True))
    said.clear()
    found = fit(train, held, how, learn=learn)
    return {
        "numbers": found.model.branch.numbers,
        "validation": {name: found.figures[name]["error"] for name in what.names},
        "errors": {one.name: errors(found.model, found.cassettes[one.name], one).mean for one in fresh},
        "said": list(said),
    }
