"""What a training of a shared branch can be told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from edgepde.errors import SettingError

LEAST = {"steps": 1, "batch": 0, "check": 1, "patience": 1, "halvings": 0, "width": 1, "depth": 1}
CHOICES = {
    "scheme": ("alternating", "joint", "varpro"),
    "trunk": ("network", "spectral"),
    "schedule": ("cosine", "plateau"),
    "objective": ("fit", "loo"),
    "balance": ("relative", "log"),
}


@dataclass(frozen=True)
class Fit:
    """scheme: alternating (MODNO: trunks on their own data, then the branch on a share q of it), joint, varpro.

    trunk: network (of t and x) or spectral (a number per feature and coefficient); varpro needs spectral.
    steps: at most. batch: cases of each operator per step, 0 for all. q: share of them that moves the branch.
    rate, branch_rate: highest, of trunks and branch; decay: AdamW's, of the branch. schedule: cosine over all steps,
    or plateau (half the rate after `patience` checks without gain, until `halvings` are used up).
    check: steps between validations; a gain is one of more than `gain`, relative. ridge: of trunks in closed form.
    objective: of varpro, fit (the misfit) or loo (leave one out). balance: relative (sum of squared relative errors) or
    log (sum of their logarithms, every operator pulls alike). appended: features end with the coefficients and a one,
    as the model has them. width, depth: of trunks that are networks. refit: solve spectral trunks in closed form at the
    end where the held cases gain by it.
    """

    scheme: Literal["alternating", "joint", "varpro"] = "joint"
    trunk: Literal["network", "spectral"] = "spectral"
    steps: int = 2000
    batch: int = 0
    q: float = 1.0
    rate: float = 2e-3
    branch_rate: float = 2e-3
    decay: float = 0.0
    schedule: Literal["cosine", "plateau"] = "cosine"
    warm: float = 0.02
    check: int = 50
    patience: int = 8
    halvings: int = 4
    gain: float = 0.01
    ridge: float = 1e-8
    objective: Literal["fit", "loo"] = "fit"
    balance: Literal["relative", "log"] = "relative"
    appended: bool = True
    width: int = 100
    depth: int = 3
    refit: bool = True

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise SettingError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        for name in ("rate", "ridge"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise SettingError(f"{name}: expected a number above 0, got {getattr(self, name)}")
        for name in ("branch_rate", "decay", "gain"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise SettingError(f"{name}: expected a number of at least 0, got {getattr(self, name)}")
        if not 0 < self.q <= 1:
            raise SettingError(f"q: expected a share above 0, at most 1, got {self.q}")
        if not 0 <= self.warm < 1:
            raise SettingError(f"warm: expected a share of at least 0 and below 1, got {self.warm}")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise SettingError(f"{name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.scheme == "varpro" and self.trunk != "spectral":
            raise SettingError("trunk: expected spectral for scheme varpro, whose trunks are in closed form")

    def rate_at(self, step: int, halved: int) -> float:
        """Share of the highest rate at a step: a straight rise over `warm` of all steps, then the schedule."""
        rising = math.ceil(self.warm * self.steps)
        if step < rising:
            return (step + 1) / rising
        if self.schedule == "plateau":
            return 0.5**halved
        return 0.5 * (1.0 + math.cos(math.pi * (step - rising) / max(1, self.steps - rising)))
