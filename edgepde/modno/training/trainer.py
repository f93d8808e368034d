"""One trainer for all schemes: trunks and their data are local, the branch's slope is one flat tensor.

trainer = Trainer(branch, tasks, how, seed)          # tasks of this process only
slope = trainer.slope()                              # moves the trunks; [n], summed over this process's operators
trainer.apply(all_reduce(slope))                     # moves the branch, alike on every process
stop = trainer.check()                               # validation; a few numbers go through `reduce`
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, final

import torch
from torch import Tensor, nn

from edgepde.errors import DataError, TrainingError

from ..branches._branch import Branch
from ..branches.grouped import Grouped
from .course import Course
from .member import Member
from .packing import copied, flat, memory, put, remember, spread, under
from .passes import Passes
from .schemes import scheme
from .settings import Fit
from .task import Task

EXACT = 1e-4
"""A relative error below which an operator asks for nothing more: what is left of a linear one is rounding."""
Reduce = Callable[[Tensor], Tensor]
"""The sum over all processes of a flat tensor."""


def alone(values: Tensor) -> Tensor:
    """The sum over one process."""
    return values


@final
class Trainer:
    """The operators of this process around a branch that all processes hold alike; the branch is trained in place.

    groups: for a Grouped branch, the part that each operator reads. deltas: rank of each operator's own change of the
    branch, 0 for none. passes: of this process. Raises DataError naming the operator that does not fit the branch.
    """

    def __init__(
        self,
        branch: Branch,
        tasks: Sequence[Task],
        how: Fit,
        seed: int = 0,
        reduce: Reduce = alone,
        groups: Mapping[str, int] | None = None,
        deltas: Mapping[str, int] | None = None,
    ) -> None:
        self.branch, self.how, self.reduce = branch, how, reduce
        self.passes, self.course, self.scheme = Passes(), Course(), scheme(how.scheme)
        if len({task.name for task in tasks}) != len(tasks):
            raise DataError(f"operators: expected names that differ, got {sorted(task.name for task in tasks)}")
        self.members: list[Member] = []
        for task in tasks:
            if task.inputs != branch.inputs:
                raise DataError(f"operator {task.name}: inputs: the branch takes {branch.inputs}, got {task.inputs}")
            own = _part(branch, task.name, groups)
            rank = (deltas or {}).get(task.name, 0)
            self.members.append(Member(task, own, how, seed, self.passes, rank))
        self.shared: list[nn.Parameter] = [p for p in branch.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.shared, how.branch_rate, weight_decay=how.decay)
        self.keep()

    def slope(self) -> Tensor:
        """Move this process's trunks by one step; the branch's slope [n], flat, summed over its operators."""
        share = self.how.rate_at(self.course.step, self.course.halved)
        for held, rate in [(self.optimizer, self.how.branch_rate)] + [
            (m.optimizer, self.how.rate) for m in self.members
        ]:
            for group in held.param_groups if held is not None else ():
                group["lr"] = share * rate
        for member in self.members:
            self.scheme.move(member, member.rows(self.course.step), self.shared)
        return flat(self.shared)

    def apply(self, slope: Tensor) -> None:
        """Move the branch by a slope [n] summed over all processes; the step is done. TrainingError if not finite."""
        self.course.step += 1
        if not bool(torch.isfinite(slope).all()):
            raise TrainingError(f"step {self.course.step}: the branch's slope is not finite; a lower rate helps")
        spread(slope, self.shared)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def step(self) -> None:
        """One step of all processes."""
        self.apply(self.reduce(self.slope()))

    @property
    def due(self) -> bool:
        """Whether a check comes after the steps so far."""
        return self.course.step % self.how.check == 0 or self.course.step >= self.how.steps

    def check(self) -> bool:
        """Validate, keep what is best; whether the training should stop, the same answer on every process.

        The measure is the geometric mean over all operators of the relative error on held cases, EXACT at least.
        """
        if self.how.scheme == "varpro":
            for member in self.members:
                member.close()
        errors = {member.name: member.held_error() for member in self.members}
        logs = sum(math.log(max(error, EXACT)) for error in errors.values())
        total = self.reduce(torch.tensor([logs, float(len(errors)), float(self.passes.total)], dtype=torch.float64))
        score = math.exp(float(total[0] / total[1]))
        if not math.isfinite(score):
            raise TrainingError(f"step {self.course.step}: the validation error is {score}; a lower rate helps")
        rate = self.how.rate_at(self.course.step, self.course.halved)
        if self.course.judge(score, errors, int(total[2]), rate, self.how):
            self.keep()
        return self.course.over(self.how)

    def columns(self, member: Member) -> slice:
        """Which features of the whole branch an operator reads."""
        if isinstance(self.branch, Grouped):
            for place in range(len(self.branch.parts)):
                if self.branch.part(place) is member.branch:
                    return self.branch.columns(place)
        return slice(0, self.branch.width)

    def keep(self) -> None:
        """Note branch, trunks and deltas as the best so far."""
        self.best = copied(self.branch.state_dict(), "branch.")
        for member in self.members:
            self.best |= copied(member.stored(), f"operator.{member.name}.")

    def restore_best(self) -> None:
        """Put the best back."""
        self._put(self.best)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and JSON to resume from, bit for bit; what is an operator's is called `[best.]operator.<name>...`."""
        made = copied(self.branch.state_dict(), "branch.") | memory(self.optimizer, self.shared, "adam.")
        for member in self.members:
            own = f"operator.{member.name}."
            made |= copied(member.stored(), own)
            made |= memory(member.optimizer, list(member.own.values()), f"{own}adam.")
        made |= copied(self.best, "best.")
        return made, {"course": asdict(self.course), "passes": self.passes.counts()}

    def load(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Put a state back; one of more operators than this process has is fine, DataError where one is missing."""
        for member in self.members:
            if not under(tensors, f"operator.{member.name}."):
                raise DataError(f"operator {member.name}: the checkpoint has none of this name")
        self._put(tensors)
        remember(self.optimizer, self.shared, under(tensors, "adam."))
        for member in self.members:
            adam = under(tensors, f"operator.{member.name}.adam.")
            remember(member.optimizer, list(member.own.values()), adam)
        device = next(self.branch.parameters()).device
        self.best = {k: t.to(device) for k, t in under(tensors, "best.").items()}
        self.course = Course(**meta["course"])
        for name, count in meta["passes"].items():
            setattr(self.passes, name, int(count))

    def _put(self, tensors: Mapping[str, Tensor]) -> None:
        put(self.branch.state_dict(), under(tensors, "branch."))
        for member in self.members:
            put(member.stored(), under(tensors, f"operator.{member.name}."))


def _part(branch: Branch, name: str, groups: Mapping[str, int] | None) -> Branch:
    if groups is None:
        return branch
    if not isinstance(branch, Grouped):
        raise DataError(f"operator {name}: groups need a grouped branch, got {type(branch).__name__}")
    if name not in groups or not 0 <= groups[name] < len(branch.parts):
        raise DataError(f"operator {name}: expected a group from 0 to {len(branch.parts) - 1}, got {groups.get(name)}")
    return branch.part(groups[name])
