"""Gradients on a branch of Gaussian units that was found in closed form: does it get better on the held cases?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from edgepde.train.run_folder import Run

from ..branches._branch import Branch
from ..closed_form.member import Member
from .fitting import Fitted, fit
from .settings import Fit
from .task import Part, Task

POLISH = Fit(
    scheme="varpro", steps=400, check=20, patience=5, branch_rate=3e-3, rate=3e-2, balance="log", ridge=1e-8, gain=1e-3
)


class Polished(NamedTuple):
    """A branch in float64 and, per operator, the held error before and after; fitted: all that happened."""

    branch: Branch
    before: dict[str, float]
    after: dict[str, float]
    fitted: Fitted

    def lines(self) -> list[str]:
        """What it changed, per operator, in percent of the held cases' norms."""
        return [f"{name}: {100 * self.before[name]:.3g} -> {100 * self.after[name]:.3g} %" for name in self.before]


def polish(
    branch: Branch, members: Sequence[Member], how: Fit = POLISH, run: Run | None = None, seed: int = 0
) -> Polished:
    """Train a branch for some members by variable projection and keep what the held cases like best, at worst itself.

    The branch is trained in place. Both errors are of trunks solved with the ridge that the held cases like best.
    """
    tasks = [task_of(member) for member in members]
    double = branch.double()
    none = replace(how, steps=1, branch_rate=0.0, schedule="plateau", warm=0.0, check=1)
    before = fit(double, tasks, none, seed=seed)
    found = fit(double, tasks, how, run, "polish", seed)
    return Polished(double, _errors(before), _errors(found), found)


def task_of(member: Member) -> Task:
    """A member's cases and images as a task: columns are the modes of its targets."""
    held = member.held
    lifted = held.lift(member.rows)
    turn, rest = np.linalg.qr(lifted.T)
    inside = held.rest @ turn
    lost = held.lost + np.maximum((held.rest**2).sum(1) - (inside**2).sum(1), 0.0)
    train = Part(_tensor(member.inputs), _tensor(member.targets), _tensor(1.0 / member.weights))
    return Task(member.name, train, Part(*(_tensor(a) for a in (held.inputs, inside, held.norms, rest.T, lost))))


def _tensor(values: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float64))


def _errors(found: Fitted) -> dict[str, float]:
    return {name: made.error for name, made in found.operators.items()}
