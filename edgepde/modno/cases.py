"""The cases that a training of many operators draws: to learn from, to choose by, to measure on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from edgepde.errors import DataError, SettingError
from edgepde.problems import operators
from edgepde.problems.operator_data import BEYOND, OperatorData, generate

from .own_data import FEWEST_CASES, OwnOperators
from .settings import Settings

COARSE = 64, 24
"""Points and times of training cases where there are few of them."""
FEW = 50
HELD = 5
"""One of so many cases given is tested on, another chosen by; fewer where the settings say so."""


@final
@dataclass(frozen=True, eq=False)
class Cases:
    """One operator's data; horizon: the last time it was trained for; linear: known to be so, None where nobody knows.

    own: given by a user, not one of the known ones. reach: up to how many horizons it is wanted.
    """

    train: OperatorData
    validation: OperatorData
    test: OperatorData
    horizon: float
    statement: str
    unit: str
    linear: bool | None = None
    own: bool = False
    reach: float = 1.0

    @property
    def name(self) -> str:
        """The operator's."""
        return self.train.name


def names(how: Settings, data: object) -> tuple[str, ...]:
    """Of the operators to learn: those of the data given, and known ones that the settings ask for beside them."""
    if data is None:
        return how.named()
    if not isinstance(data, OwnOperators):
        raise DataError(f"--data: expected operators, got {type(data).__name__}")
    beside = how.named() if how.operators != type(how)().operators else ()
    twice = sorted({*data.names} & {*beside})
    if twice:
        raise SettingError(f"operators: {', '.join(twice)} is a file of --data as well; rename it")
    return data.names + beside


def cases(name: str, how: Settings, data: object, seed: int) -> Cases:
    """Of one of `names`."""
    own = {one.name: one for one in data} if isinstance(data, OwnOperators) else {}
    return split(own[name], how, seed) if name in own else drawn(name, how, seed)


def split(data: OperatorData, how: Settings, seed: int) -> Cases:
    """A user's cases by chance: a fifth each to measure on and to choose by, fewer where the settings say so."""
    if len(data) < FEWEST_CASES:
        raise DataError(f"{data.source}: expected at least {FEWEST_CASES} cases, got {len(data)}")
    test, validation = (min(wanted, len(data) // HELD) for wanted in (how.test, how.validation))
    order = np.random.default_rng(seed).permutation(len(data))
    cuts = order[test + validation :], order[test : test + validation], order[:test]
    train, chosen, held = (data.take(np.sort(cut)) for cut in cuts)
    said = f"data of one's own ({data.source})"
    return Cases(train, chosen, held, float(data.times[-1]), said, data.unit, own=True)


def drawn(name: str, how: Settings, seed: int) -> Cases:
    """Fresh cases of a known operator, at other points and times than those of training.

    But for the validation of schemes with gradients: these compare coefficients, which few times do not give.
    """
    known = operators.operator(name)
    points, times = COARSE if how.samples < FEW else (None, None)
    train = generate(
        name, how.samples, seed, split="train", points=points, times=times, sensors=how.sensors,
        own_inputs=how.own_inputs,
    )  # fmt: skip
    validation = generate(
        name, how.validation, seed, split="validation", sensors=how.sensors, own_inputs=how.own_inputs,
        points=len(train.x) if how.by_gradients else None, times=train.times if how.by_gradients else None,
    )  # fmt: skip
    test = generate(name, how.test, seed, split="test", sensors=how.sensors, own_inputs=how.own_inputs)
    reach = BEYOND if known.inputs == "mixture" else 1.0
    return Cases(train, validation, test, known.horizon, known.statement, known.unit, known.is_linear, reach=reach)
