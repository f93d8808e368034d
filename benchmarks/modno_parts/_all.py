"""The shared model and all rivals of one seed, asked for fields of any cases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from _harness import OURS
from numpy.typing import NDArray

from edgepde.problems.operator_data import OperatorData

from . import _ours, _rivals, _study
from ._deeponets import Net
from ._ours import Ours
from ._study import Joined, Plan, Study

SEPARATE, JOINED = "DeepONet of its own", "one DeepONet, operator as input"
POD, SKIP, KERNEL, LINEAR = "POD + MLP", "least squares, POD + MLP", "kernel ridge, data stored", "least squares"
RIVALS = SEPARATE, JOINED, POD, SKIP, KERNEL, LINEAR


@dataclass(frozen=True, eq=False)
class Contest:
    """All that is trained for one seed."""

    runs: Path
    made: Plan
    seed: int
    ours: Ours
    nets: dict[str, Net]
    joined: Joined

    def study(self, name: str) -> Study:
        """An operator's data."""
        return _study.study(self.runs, self.made, name, self.seed)

    def fields(self, name: str, data: OperatorData) -> dict[str, NDArray[np.float64]]:
        """u [N, T, n] of the data's sensors at its times and points, by every rival."""
        own = self.study(name)
        times = data.times / own.horizon
        found = {
            OURS: self.ours.predicted(name, data),
            SEPARATE: self.nets[name](data.sensors, times, data.x),
            JOINED: self.joined(name, data.sensors, times, data.x),
        }
        fits = closed(self.runs, self.made, name, self.seed)
        return found | {rival: own.on_grid(fit.predict(data.sensors), data) for rival, fit in fits.items()}


@cache
def contest(runs: Path, made: Plan, seed: int) -> Contest:
    """Everything trained or read."""
    nets, joined = _study.separate(runs, made, seed), _study.joined(runs, made, seed)
    return Contest(runs, made, seed, _ours.obtain(runs, made, seed), nets, joined)


@cache
def closed(runs: Path, made: Plan, name: str, seed: int) -> dict[str, _rivals.Fitted]:
    """Rivals that work on the training grid."""
    data = _study.study(runs, made, name, seed)
    train, held = data.pair

    def read(fields: _rivals.Floats) -> NDArray[np.float64]:
        return data.on_grid(fields, data.held).reshape(len(fields), -1)

    return {
        POD: _rivals.pod_mlp(train, held, read, made.width, seed, made.steps),
        SKIP: _rivals.pod_mlp(train, held, read, made.width, seed, made.steps, skip=True),
        KERNEL: _rivals.kernel_ridge(train, held, read),
        LINEAR: _rivals.linear(train, held, read),
    }
