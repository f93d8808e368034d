"""One trainer for all schemes: trunks and their data are local, the branch's slope is one flat tensor.

trainer = Trainer(branch, tasks, how, seed)          # tasks of this process only
slope = trainer.slope()                              # moves the trunks; [n], summed over this process's operators
trainer.apply(all_reduce(slope))                     # moves the branch; the same on every process
stop = trainer.check()                               # validation; reduces a few numbers through `reduce`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

from torch import Tensor

from ..branches._branch import Branch
from .settings import Fit
from .task import Task

Reduce = Callable[[Tensor], Tensor]
"""The sum over all processes of a flat tensor; alone: the tensor itself."""


def alone(slope: Tensor) -> Tensor:
    """The sum over one process."""
    return slope


@final
class Trainer:
    """The operators of this process around a branch that all processes hold alike."""

    def __init__(self, branch: Branch, tasks: Sequence[Task], how: Fit, seed: int = 0, reduce: Reduce = alone) -> None:
        self.branch, self.tasks, self.how, self.seed, self.reduce = branch, list(tasks), how, seed, reduce

    def slope(self) -> Tensor:
        """Move this process's trunks by one step; the branch's slope [n], flat, summed over its operators."""
        raise NotImplementedError

    def apply(self, slope: Tensor) -> None:
        """Move the branch by a slope [n] summed over all processes; the step is done."""
        raise NotImplementedError

    def step(self) -> None:
        """One step of all processes."""
        self.apply(self.reduce(self.slope()))

    def check(self) -> bool:
        """Validate, keep what is best; whether the training should stop, the same answer on every process."""
        raise NotImplementedError

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and JSON to resume from, bit for bit; tensors of an operator are called `operator.<name>...`."""
        raise NotImplementedError

    def load(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Put a state back; one of more operators than this process has is fine."""
        raise NotImplementedError
