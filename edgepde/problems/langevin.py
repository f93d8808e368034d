"""A relaxing particle under a force that varies in time: u' = -u + lambda(t), known in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgepde.errors import SettingError

from .inverse_case import Case, check_sizes, read

Array = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Langevin:
    """Readings of u at points times in 0 .. horizon; lambda = sum_k a_k sin(w_k t + p_k) by seed (arXiv 2505.11682).

    waves: how many. fastest: the greatest w. noise: a fraction of the field's standard deviation. missing: the fraction
    of readings that are NaN.
    """

    points: int = 201
    horizon: float = 10.0
    waves: int = 4
    fastest: float = 4.0
    noise: float = 0.01
    missing: float = 0.0

    def __post_init__(self) -> None:
        check_sizes(self.points, 2, self.noise, self.missing)
        if not 0.0 < self.horizon < math.inf:
            raise SettingError(f"horizon: expected a positive time, got {self.horizon:g}")
        if not 1 <= self.waves <= 64:
            raise SettingError(f"waves: expected 1 .. 64, got {self.waves}")
        if not 0.0 < self.fastest < math.inf:
            raise SettingError(f"fastest: expected a positive frequency, got {self.fastest:g}")

    @property
    def axes(self) -> dict[str, Array]:
        """t."""
        return {"t": np.linspace(0.0, self.horizon, self.points)}

    def case(self, seed: int, noise_seed: int | None = None) -> Case:
        """Force, exact solution and readings of a seed; noise_seed: another draw of the noise alone."""
        random = np.random.default_rng([seed, 4])
        w = random.uniform(0.2, 1.0, self.waves) * self.fastest
        a, p = random.uniform(0.3, 1.0, self.waves), random.uniform(0.0, 2.0 * np.pi, self.waves)
        t = self.axes["t"]
        field = exact(t, a, w, p, float(random.uniform(-1.0, 1.0)))
        readings, sigma = read(field, self.noise, self.missing, seed if noise_seed is None else noise_seed)
        return Case(self.axes, np.sin(np.outer(t, w) + p) @ a, field, readings, sigma)


def exact(t: Array, a: Array, w: Array, p: Array, first: float) -> Array:
    """u(t) = sum a (sin(w t + p) - w cos(w t + p)) / (1 + w^2) + C exp(-t), u(0) = first."""
    phase = np.outer(t, w) + p
    driven = (np.sin(phase) - w * np.cos(phase)) @ (a / (1.0 + w * w))
    start = float((np.sin(p) - w * np.cos(p)) @ (a / (1.0 + w * w)))
    made: Array = driven + (first - start) * np.exp(-t)
    return made
