"""Zone data in closed form: u = cos(2 pi c t) sin(pi (x + x0)) cos(pi y), parameters x0 and c."""

from __future__ import annotations

import numpy as np

from edgepde.problems.zone import ZoneData

LOW, HIGH = np.array([0.2, 0.5]), np.array([0.8, 1.5])


def standing(cases: int, grid: tuple[int, int, int] = (8, 8, 8), seed: int = 0, amplitude: float = 1.0) -> ZoneData:
    """Cases drawn uniformly in the box."""
    parameters = np.random.default_rng(seed).uniform(LOW, HIGH, (cases, 2))
    t, y, x = (np.linspace(0.0, 1.0, n) for n in grid)
    tt, yy, xx = np.meshgrid(t, y, x, indexing="ij")
    x0, c = (parameters[:, i, None, None, None] for i in range(2))
    field = amplitude * np.cos(2 * np.pi * c * tt) * np.sin(np.pi * (xx + x0)) * np.cos(np.pi * yy)
    return ZoneData(
        parameters, ("x0", "c"), ("m", "m/s"), LOW, HIGH, field.astype(np.float32), t, y, x, "u", "mm", ("s", "m", "m")
    )
