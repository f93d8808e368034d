"""Burgers' equation with viscosity 0.01, and with 0.01 / pi."""

import math
from functools import partial

from ..fourier import Complex, Real
from ._operator import Inputs
from ._semilinear import Semilinear


def _diffusion(viscosity: float, k: Real) -> Real:
    return -viscosity * k * k


def _slope(k: Real) -> Complex:
    return -1j * k


def _flux(u: Real) -> Real:
    made: Real = 0.5 * u * u
    return made


NAMED: tuple[tuple[str, int, Inputs, float, str, int, float], ...] = (
    ("viscous_burgers", 3, "fourier", 0.01, "0.01", 320, 5e-3),
    ("burgers", 3, "fourier", 0.01 / math.pi, "0.01/pi", 640, 2e-3),
    ("mix_viscous_burgers", 5, "mixture", 0.01, "0.01", 320, 2.5e-3),
)
OPERATORS = tuple(
    Semilinear(
        name=name,
        statement=f"u_t + u u_x = {said} u_xx",
        group=group,
        horizon=0.5,
        inputs=inputs,
        linear=partial(_diffusion, viscosity),
        factor=_slope,
        flux=_flux,
        points=points,
        step=step,
    )
    for name, group, inputs, viscosity, said, points, step in NAMED
)
