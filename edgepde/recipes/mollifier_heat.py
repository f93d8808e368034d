"""Diffusivity lambda(y, x) from readings of u_t = lambda Lap u + 2 u (1 - u), with a network or without.

Readings are simulated (edgepde/problems/heat_field.py) or given by --data, see docs/mollifier.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from edgepde.mollifier.device.readings import Given, reader, unit_square
from edgepde.mollifier.device.recovering import train
from edgepde.mollifier.device.settings import InverseSettings
from edgepde.mollifier.inverse.statement import Statement, statement
from edgepde.problems.heat_field import HeatField

__all__ = ["Config", "read_data", "train"]
read_data = reader("tyx", "yx")


@dataclass(frozen=True)
class Config(InverseSettings):
    """points: per edge of the unit square. frames: times up to horizon. fine: reference intervals per reading's.

    And those of all inverse problems: method, noise, missing, low, high, training, validation, test, level, epochs,
    width, rate, steps.
    """

    points: int = 41
    frames: int = 16
    horizon: float = 0.5
    low: float = 0.0048
    high: float = 0.0192
    fine: int = 3

    statement: ClassVar[str] = "heat_field"
    unknown: ClassVar[str] = "diffusivity"
    about: ClassVar[str] = "diffusivity lambda(y, x) from readings of u_t = lambda Lap u + 2 u (1 - u), insulated edges"

    def problem(self) -> HeatField:
        """Complete readings."""
        fine = self.fine * (self.points - 1) + 1
        return HeatField(
            points=self.points, frames=self.frames, horizon=self.horizon, low=self.low, high=self.high, fine=fine,
            noise=self.noise,
        )  # fmt: skip

    def rough(self) -> HeatField:
        """Two reference intervals between readings."""
        return replace(self.problem(), fine=min(self.fine, 2) * (self.points - 1) + 1)

    def given(self) -> HeatField:
        """Some missing."""
        return replace(self.problem(), missing=self.missing)

    def on(self, given: Given) -> Config:
        """points, frames and horizon as given."""
        return replace(self, **unit_square(given))

    def stated(self) -> Statement:
        """u_t = lambda Lap u + 2 u (1 - u)."""
        return statement(self.statement)

    @property
    def bounds(self) -> tuple[float, float]:
        """low, high."""
        return self.low, self.high

    def quick(self) -> Config:
        """A coarse grid too."""
        return replace(super().quick(), points=17, frames=12, fine=1)
