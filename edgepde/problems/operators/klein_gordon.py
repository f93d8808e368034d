"""The Klein-Gordon equation with c = 1 and m = 0.1, from rest."""

import numpy as np

from ..fourier import Real
from ._exact import Exact
from ._operator import Inputs

MASS = 0.1
STATEMENT = "u_tt = u_xx - 0.01 u, u_t(0) = 0"


def _multiplier(k: Real, t: Real) -> Real:
    made: Real = np.cos(np.sqrt(k * k + MASS**2) * t)
    return made


NAMED: tuple[tuple[str, int, Inputs], ...] = (("klein_gordon", 1, "fourier"), ("mix_klein_gordon", 5, "mixture"))
OPERATORS = tuple(
    Exact(
        name=name,
        statement=STATEMENT,
        group=group,
        horizon=1.0,
        inputs=inputs,
        order_in_time=2,
        conserves_mean=False,
        multiplier=_multiplier,
    )
    for name, group, inputs in NAMED
)
