"""Force lambda(t) on a relaxing particle from readings of u' = -u + lambda(t).

Readings are simulated (edgepde/problems/langevin.py) or given by --data, see docs/mollifier.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from edgepde.mollifier.device.readings import Given, line, reader
from edgepde.mollifier.device.recovering import train
from edgepde.mollifier.device.settings import InverseSettings
from edgepde.mollifier.inverse.statement import Statement, statement
from edgepde.problems.langevin import Langevin

__all__ = ["Config", "read_data", "train"]
read_data = reader("t", "t")


@dataclass(frozen=True)
class Config(InverseSettings):
    """points: times up to horizon. waves, fastest: of the force, sines up to that frequency. low, high: of the force.

    And those of all inverse problems: method, noise, missing, training, validation, test, level, epochs, width, rate,
    steps.
    """

    points: int = 201
    horizon: float = 10.0
    waves: int = 4
    fastest: float = 4.0
    low: float = -4.0
    high: float = 4.0

    statement: ClassVar[str] = "langevin"
    unknown: ClassVar[str] = "force"
    about: ClassVar[str] = "force lambda(t) from readings of u' = -u + lambda(t)"

    def problem(self) -> Langevin:
        """Complete readings."""
        return Langevin(self.points, self.horizon, self.waves, self.fastest, self.noise)

    def rough(self) -> Langevin:
        """The same, which is exact."""
        return self.problem()

    def given(self) -> Langevin:
        """Some missing."""
        return replace(self.problem(), missing=self.missing)

    def on(self, given: Given) -> Config:
        """points and horizon as given."""
        return replace(self, **line(given))

    def stated(self) -> Statement:
        """u' + u = lambda."""
        return statement(self.statement)

    @property
    def bounds(self) -> tuple[float, float]:
        """low, high."""
        return self.low, self.high

    def quick(self) -> Config:
        """Fewer times."""
        return replace(super().quick(), points=101)
