"""What a fit in closed form can be told."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgepde.errors import SettingError

LEAST = {"units": 1, "features": 1, "rank": 1, "more": 0, "pool": 1}


@dataclass(frozen=True)
class Closed:
    """units: Gaussian centres of the branch; features: what its output layer makes of them; rank: rows of a basis.

    All three are upper limits. slack: a basis is cut where the validation error grows by this share of itself at most.
    exact: relative validation error at which a linear part alone is good enough. width: of the Gaussians, in root mean
    square sizes of the inputs. more: cases that are made by the equation which an operator's cases obey, 0 for none.
    pool: inputs that centres are chosen from. frame, images: whether the canonical frame and mirror images of cases are
    used where data allow them. seed: of new inputs and of the pool.
    """

    units: int = 768
    features: int = 160
    rank: int = 48
    slack: float = 0.02
    exact: float = 2e-4
    width: float = 1.0
    more: int = 600
    pool: int = 4000
    seed: int = 0
    frame: bool = True
    images: bool = True

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise SettingError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        for name in ("slack", "exact"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise SettingError(f"{name}: expected a number of at least 0, got {getattr(self, name)}")
        if not (math.isfinite(self.width) and self.width > 0):
            raise SettingError(f"width: expected a number above 0, got {self.width}")
