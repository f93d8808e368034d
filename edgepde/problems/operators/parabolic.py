"""The heat equation."""

import numpy as np

from ._exact import Exact

DIFFUSIVITY = 3e-3
OPERATORS = (
    Exact(
        name="parabolic",
        statement="u_t = 0.003 u_xx",
        group=3,
        horizon=1.0,
        multiplier=lambda k, t: np.exp(-DIFFUSIVITY * k * k * t),
    ),
)
