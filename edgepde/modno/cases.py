"""The cases that a training of many operators draws: to learn from, to choose by, to measure on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from edgepde.problems import operators
from edgepde.problems.operator_data import OperatorData, generate

from .settings import Settings

COARSE = 64, 24
"""Points and times of training cases where there are few of them."""
FEW = 50


@final
@dataclass(frozen=True, eq=False)
class Cases:
    """One operator's data; horizon: the last time it was trained for; linear: known to be so, None for a user's own."""

    train: OperatorData
    validation: OperatorData
    test: OperatorData
    horizon: float
    statement: str
    unit: str
    linear: bool | None = None

    @property
    def name(self) -> str:
        """The operator's."""
        return self.train.name


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
    return Cases(train, validation, test, known.horizon, known.statement, known.unit, known.is_linear)
