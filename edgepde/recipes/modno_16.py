"""Sixteen solution operators with one shared branch: the experiments of arXiv 2404.02892, see docs/modno.md."""

from __future__ import annotations

from dataclasses import dataclass

from edgepde.modno.own_data import read_data
from edgepde.modno.settings import Settings
from edgepde.modno.sweeping import SWEEPS, sweep
from edgepde.modno.training_run import train

__all__ = ["IN_RANKS", "SWEEPS", "Config", "read_data", "sweep", "train"]
IN_RANKS = True


@dataclass(frozen=True)
class Config(Settings):
    """All of them, or `operators`; and the settings of all recipes of many operators."""
