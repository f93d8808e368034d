"""What the recipes of inverse problems share: how readings are drawn, what recovers, how much is simulated."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from edgepde.errors import SettingError

from ..inverse.statement import Statement
from .draws import Inverse
from .readings import Given

Method = Literal["auto", "estimator", "refined", "network", "solver"]


@dataclass(frozen=True)
class InverseSettings(ABC):
    """method: estimator (no network on the device), refined (a small network corrects it), auto (whichever has the
    smaller error on validation draws); network or solver: the estimator ships, the readings given are recovered by a
    network, or with a solver in the loop, as well.

    noise: of the readings, a part of the field's standard deviation. missing: part of the readings given that is not
    there. low, high: what is known of lambda. training, validation, test: draws; level: of false alarms and broken
    promises on fresh draws. epochs, width, rate: of the correcting network. steps: of
    each round of a network that is fitted to the readings.
    """

    method: Method = "auto"
    noise: float = 0.01
    missing: float = 0.0
    training: int = 600
    validation: int = 40
    test: int = 199
    level: float = 0.01
    epochs: int = 20
    width: int = 16
    rate: float = 2e-3
    steps: int = 60

    statement: ClassVar[str]
    unknown: ClassVar[str] = "lambda"
    units: ClassVar[Mapping[str, str]] = {}
    about: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for name, least in (("training", 1), ("validation", 2), ("test", 1), ("epochs", 1), ("width", 1), ("steps", 1)):
            if getattr(self, name) < least:
                raise SettingError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        if not 0.0 < self.level < 1.0:
            raise SettingError(f"level: expected a number between 0 and 1, got {self.level}")
        fewest = 1.0 / self.level - 1.0
        if self.test < fewest - 1e-9:
            raise SettingError(f"test: a level of {self.level:g} needs at least {fewest:.0f} draws, got {self.test}")
        if not 0.0 < self.rate < math.inf:
            raise SettingError(f"rate: expected a number above 0, got {self.rate}")
        self.given()

    @abstractmethod
    def problem(self) -> Inverse:
        """What readings are drawn from, complete, on the grid of the settings."""

    @abstractmethod
    def rough(self) -> Inverse:
        """The same by a coarser reference, for what is learned and chosen by."""

    @abstractmethod
    def given(self) -> Inverse:
        """The same with missing readings."""

    @abstractmethod
    def on(self, given: Given) -> Self:
        """The settings on the grid of readings that were given; DataError where nothing can be simulated there."""

    @property
    def unit(self) -> str:
        """Of lambda."""
        return self.units.get("lam", "")

    @abstractmethod
    def stated(self) -> Statement:
        """The inverse problem."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """Between what lambda is known to lie."""

    def quick(self) -> Self:
        """Few draws, a loose level: a trial."""
        return replace(self, training=20, validation=4, test=19, level=0.1, epochs=4, width=4, steps=4)
