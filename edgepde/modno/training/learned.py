"""A shared branch that is learned by gradients through trunks in closed form, and read as the closed form's is."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from edgepde.train.run_folder import Run

from ..branches._branch import Branch, reading
from ..branches.mlp import Mlp
from ..closed_form.member import Member
from .fitting import Fitted, fit
from .polishing import task_of
from .settings import Fit

Floats = NDArray[np.float64]
VARPRO = Fit(
    scheme="varpro",
    steps=200,
    check=25,
    patience=10**6,
    batch=600,
    branch_rate=1e-2,
    rate=3e-2,
    balance="log",
    ridge=1e-7,
    refit=False,
)


@final
@dataclass(frozen=True, eq=False)
class Learned:
    """A branch in float64 as functions of numpy arrays."""

    module: Branch

    @property
    def width(self) -> int:
        """K."""
        return self.module.width

    def __call__(self, x: Floats) -> Floats:
        """[N, I] to [N, K]."""
        with torch.no_grad():
            made: torch.Tensor = self.module(torch.from_numpy(np.ascontiguousarray(x)))
        return made.numpy()

    def branch(self) -> Branch:
        """The same in float32."""
        return copy.deepcopy(self.module).float()


@final
@dataclass
class Learner:
    """Called with members, learns a branch of `widths` and `features` for them; fitted: what happened the last time."""

    widths: tuple[int, ...] = (128, 128)
    features: int = 96
    how: Fit = VARPRO
    run: Run | None = None
    seed: int = 0
    fitted: Fitted | None = field(default=None, init=False)

    def __call__(self, members: Sequence[Member]) -> Learned:
        """A fresh branch reads every coefficient over its spread; rounded to float32 at the end, as it will ship."""
        tasks = [task_of(member) for member in members]
        inputs = torch.cat([task.train.inputs for task in tasks])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            made = Mlp(inputs.shape[1], self.features, self.widths).double()
        made.scale.copy_(reading(inputs.square().mean(0)))
        self.fitted = fit(made, tasks, self.how, self.run, "branch", self.seed)
        return Learned(made.float().double())
