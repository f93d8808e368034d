"""The shared model and all rivals of one seed, asked for their errors on any cases."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _harness import OURS
from numpy.typing import NDArray

from edgepde.problems.operator_data import OperatorData

from . import _grid, _ours, _rivals, _study
from ._deeponets import Net
from ._ours import Ours
from ._study import Joined, Plan, Study, digest

SEPARATE, JOINED = "DeepONet of its own", "one DeepONet, operator as input"
POD, SKIP, KERNEL, LINEAR = "POD + MLP", "least squares, POD + MLP", "kernel ridge, data stored", "least squares"
RIVALS = SEPARATE, JOINED, POD, SKIP, KERNEL, LINEAR


class Errors(NamedTuple):
    """Relative L2 errors of cases [N]: over all times, and over those up to the horizon."""

    whole: NDArray[np.float64]
    within: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Contest:
    """All that is trained for one seed; rivals only where their errors were not taken before."""

    runs: Path
    made: Plan
    seed: int

    @cached_property
    def ours(self) -> Ours:
        """The run of this seed."""
        return _ours.obtain(self.runs, self.made, self.seed)

    @property
    def has_joined(self) -> bool:
        """Whether one DeepONet for all is trained: in the first seed alone, for time."""
        return self.seed == self.made.seeds[0]

    def net(self, name: str) -> Net:
        """An operator's DeepONet."""
        return _study.separate(self.runs, replace(self.made, names=(name,)), self.seed)[name]

    @cached_property
    def joined(self) -> Joined:
        """One DeepONet for all."""
        return _study.joined(self.runs, self.made, self.seed)

    def study(self, name: str) -> Study:
        """An operator's data."""
        return _study.study(self.runs, self.made, name, self.seed)

    def errors(self, name: str, data: OperatorData) -> dict[str, Errors]:
        """Of ours and of every rival on the data's cases, those of rivals read where they were taken before."""
        own = self.study(name)
        stated = {**asdict(self.made), "seeds": (), "data": digest(own.train, own.held, data)}
        if not self.has_joined:
            stated |= {"joined": 0, "joined_how": None}
        path, _ = _study.kept(self.runs, f"errors-{name}-{self.seed}", stated)
        if not path.exists():
            taken = {rival: _errors(u, data, own) for rival, u in self._fields(name, data).items()}
            path.write_text(json.dumps({k: [v.tolist() for v in pair] for k, pair in taken.items()}), encoding="utf-8")
        known = json.loads(path.read_text(encoding="utf-8"))
        rivals = {rival: Errors(*(np.array(v) for v in pair)) for rival, pair in known.items()}
        return {OURS: _errors(self.ours.predicted(name, data), data, own), **rivals}

    def _fields(self, name: str, data: OperatorData) -> dict[str, NDArray[np.float64]]:
        """u [N, T, n] by every rival that this seed has."""
        own, net = self.study(name), self.net(name)
        found = {SEPARATE: _better(net, own, data)}
        if self.has_joined:
            found[JOINED] = _better(lambda *given: self.joined(name, *given), own, data)
        fits = closed(self.runs, self.made, name, self.seed)
        return found | {rival: own.on_grid(fit.predict(data.sensors), data) for rival, fit in fits.items()}


def _better(net: Callable[..., NDArray[np.float64]], own: Study, data: OperatorData) -> NDArray[np.float64]:
    """A net's fields; where times are beyond the horizon, the better of the net there and its fields continued.

    Which of the two is seen from the answer: the doubt is the net's gain.
    """
    found = net(data.sensors, data.times / own.horizon, data.x)
    beyond = ~inside(data, own)
    if not beyond.any():
        return found
    continued = own.on_grid(net(data.sensors, own.train.times / own.horizon, own.train.x), data)
    other = found.copy()
    other[:, beyond] = continued[:, beyond]
    return min(found, other, key=lambda u: float(_grid.relative(u, data.field).mean()))


def inside(data: OperatorData, own: Study) -> NDArray[np.bool_]:
    """Times up to the horizon."""
    return np.asarray(data.times <= own.horizon * (1.0 + 1e-9))


def _errors(found: NDArray[np.float64], data: OperatorData, own: Study) -> Errors:
    within = inside(data, own)
    return Errors(_grid.relative(found, data.field), _grid.relative(found[:, within], data.field[:, within]))


@cache
def contest(runs: Path, made: Plan, seed: int) -> Contest:
    """That of a seed."""
    return Contest(runs, made, seed)


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
