"""The porous medium equation on 0.2 <= u <= 1: u(0) = 0.6 + 0.4 s / max|s|, since mean-zero data would run backwards.

Split as u_t = c u_xx + (u^m - c u)_xx. Where d = m u^(m-1) is the diffusivity, ETDRK4 multiplies stiff modes by
2 q^4 - q^3 with q = 1 - d / c; c = 3 m / 4 keeps that within (-1, 1) for 0 < u <= 1.
"""

from functools import partial

import numpy as np

from ..fourier import Complex, Real, on_grid
from ._semilinear import Semilinear

MIDDLE, SWING = 0.6, 0.4
SPLIT = 0.75
EDGE = 1e-3
FINE = 4096
"""Points at which max|s| is taken."""


def _initial(s: Complex) -> Complex:
    most = np.abs(on_grid(s, FINE)).max(-1, keepdims=True)
    made: Complex = SWING * s / np.where(most > 0.0, most, 1.0)
    made[..., 0] += MIDDLE
    return made


def _spread(m: int, k: Real) -> Real:
    return -SPLIT * m * k * k


def _flux(m: int, u: Real) -> Real:
    power = u
    for _ in range(m - 1):
        power = power * u
    return power - SPLIT * m * u


OPERATORS = tuple(
    Semilinear(
        name=f"porous_medium_{m}",
        statement=f"u_t = (u^{m})_xx, u(0) = 0.6 + 0.4 s / max|s|",
        group=2,
        horizon=0.1,
        inputs="porous",
        linear=partial(_spread, m),
        factor=lambda k: -k * k,
        flux=partial(_flux, m),
        points=points,
        step=step,
        low=EDGE,
        high=1.0 + EDGE,
        from_input=_initial,
    )
    for m, points, step in ((2, 128, 2e-4), (3, 160, 1e-4), (4, 192, 1e-4))
)
