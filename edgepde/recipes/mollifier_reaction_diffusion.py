"""Rate lambda(y, x) of a reaction in a separating mixture, an equation of order four, with a network or without.

Readings are simulated (edgepde/problems/reaction_diffusion.py) or given by --data, see docs/mollifier.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from edgepde.mollifier.device.readings import Given, reader, unit_square
from edgepde.mollifier.device.recovering import train
from edgepde.mollifier.device.settings import InverseSettings
from edgepde.mollifier.inverse.statement import Statement, statement
from edgepde.problems.reaction_diffusion import ReactionDiffusion

__all__ = ["Config", "read_data", "train"]
read_data = reader("tyx", "yx")


@dataclass(frozen=True)
class Config(InverseSettings):
    """points: per edge of the unit square. frames: times up to horizon.

    And those of all inverse problems: method, noise, missing, low, high, training, validation, test, level, epochs,
    width, rate, steps.
    """

    points: int = 41
    frames: int = 16
    horizon: float = 1.0
    low: float = 0.4
    high: float = 1.6

    statement: ClassVar[str] = "reaction_diffusion"
    unknown: ClassVar[str] = "rate"
    about: ClassVar[str] = (
        "rate lambda(y, x) from readings of u_t = Lap mu + lambda (c - u) - (c + u), mu of order two in u, closed edges"
    )

    def problem(self) -> ReactionDiffusion:
        """Complete readings."""
        return ReactionDiffusion(
            points=self.points, frames=self.frames, horizon=self.horizon, low=self.low, high=self.high,
            fine=2 * (self.points - 1) + 1, noise=self.noise,
        )  # fmt: skip

    def rough(self) -> ReactionDiffusion:
        """The same: the reference is spectral."""
        return self.problem()

    def given(self) -> ReactionDiffusion:
        """Some missing."""
        return replace(self.problem(), missing=self.missing)

    def on(self, given: Given) -> Config:
        """points, frames and horizon as given."""
        return replace(self, **unit_square(given))

    def stated(self) -> Statement:
        """The strong form."""
        return statement(self.statement)

    @property
    def bounds(self) -> tuple[float, float]:
        """low, high."""
        return self.low, self.high

    def quick(self) -> Config:
        """A coarse grid too."""
        return replace(super().quick(), points=21, frames=12)
