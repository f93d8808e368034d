"""Interference control: an operator's own low-rank change of a branch that is held, taken where it helps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

from edgepde.errors import SettingError

from .fitting import Fitted, Trained, fit
from .settings import Fit
from .task import Task

HELPS = 0.02
"""Share of the held error that a change must save."""


@final
@dataclass(frozen=True)
class Change:
    """What a delta of some numbers did to an operator's held error, and whether it is taken."""

    name: str
    before: float
    after: float
    numbers: int
    taken: bool

    def line(self) -> str:
        """In words."""
        what = f"taken, {self.numbers} numbers" if self.taken else "not taken"
        return f"{self.name}: {100 * self.before:.3g} -> {100 * self.after:.3g} % on held cases, {what}"


def with_deltas(
    found: Fitted,
    tasks: Sequence[Task],
    how: Fit,
    rank: int,
    seed: int = 0,
    groups: Mapping[str, int] | None = None,
    helps: float = HELPS,
) -> tuple[Fitted, list[Change]]:
    """Train a delta of that rank for each operator while the branch is held; those that help on held cases are taken.

    No operator can be harmed by another's: each is trained alone. SettingError for a rank below 1.
    """
    if rank < 1:
        raise SettingError(f"rank: expected at least 1, got {rank}")
    alone = replace(how, branch_rate=0.0, decay=0.0)
    operators, changes = dict(found.operators), []
    for task in tasks:
        own = fit(found.branch, [task], alone, None, task.name, seed, groups, {task.name: rank})
        found.passes.add(own.passes)
        changes.append(_change(found.operators[task.name], own.operators[task.name], helps))
        if changes[-1].taken:
            operators[task.name] = own.operators[task.name]
    return replace(found, operators=operators), changes


def _change(before: Trained, after: Trained, helps: float) -> Change:
    numbers = sum(part.numel() for part in after.delta or ())
    return Change(before.name, before.error, after.error, numbers, after.error < (1.0 - helps) * before.error)
