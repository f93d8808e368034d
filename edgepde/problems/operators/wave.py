"""The wave equation, from rest."""

import numpy as np

from ._exact import Exact

SPEED = 0.5
OPERATORS = (
    Exact(
        name="wave",
        statement="u_tt = 0.25 u_xx, u_t(0) = 0",
        group=1,
        horizon=1.0,
        order_in_time=2,
        multiplier=lambda k, t: np.cos(SPEED * k * t),
    ),
)
