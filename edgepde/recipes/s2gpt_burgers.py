"""Viscous Burgers, nu in [0.005, 1]: the sample's model. `--set low=0.05` narrows the box."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from edgepde.problems.burgers import burgers
from edgepde.recipes import s2gpt
from edgepde.train.problem_source import of_factory
from edgepde.train.run_folder import Run


@dataclass(frozen=True)
class Config(s2gpt.Config):
    """As s2gpt's, and the range of viscosities in m^2/s."""

    snapshots: int = 18
    iterations: int = 250
    tolerance: float = 1e-4
    low: float = 0.005
    high: float = 1.0

    def quick(self) -> Config:
        """nu in [0.05, 1], ten snapshots."""
        return replace(self, low=0.05, snapshots=10, refinements=0, iterations=125, tolerance=3e-4)


def train(config: Config, run: Run, device: torch.device) -> None:
    """Train the reduced model of burgers(low, high)."""
    arguments = {"low": config.low, "high": config.high}
    source = of_factory("burgers", "burgers", arguments)
    s2gpt.train_problem(burgers(**arguments), config, run, device, source)
