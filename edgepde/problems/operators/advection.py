"""Transport at a constant speed."""

import numpy as np

from ._exact import Exact

SPEED = 0.5
OPERATORS = (
    Exact(
        name="advection",
        statement="u_t + 0.5 u_x = 0",
        group=4,
        horizon=2.0,
        multiplier=lambda k, t: np.exp(-1j * SPEED * k * t),
    ),
)
