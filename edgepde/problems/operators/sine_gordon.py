"""The Sine-Gordon equation, from rest; split as u_tt = (u_xx - u) + (u - sin u) so that no mode has frequency 0."""

import numpy as np

from ._operator import Inputs
from ._semilinear import Semilinear

NAMED: tuple[tuple[str, int, Inputs], ...] = (("sine_gordon", 1, "fourier"), ("mix_sine_gordon", 5, "mixture"))
OPERATORS = tuple(
    Semilinear(
        name=name,
        statement="u_tt = u_xx - sin u, u_t(0) = 0",
        group=group,
        horizon=1.0,
        inputs=inputs,
        order_in_time=2,
        conserves_mean=False,
        linear=lambda k: np.sqrt(k * k + 1.0),
        factor=np.ones_like,
        flux=lambda u: u - np.sin(u),
        points=64,
        step=0.02,
    )
    for name, group, inputs in NAMED
)
