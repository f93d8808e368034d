"""The Cahn-Hilliard equation."""

from ._operator import Inputs
from ._semilinear import Semilinear

MOBILITY, STIFFNESS = 0.02, 0.005
NAMED: tuple[tuple[str, int, Inputs], ...] = (("cahn_hilliard", 4, "fourier"), ("mix_cahn_hilliard", 5, "mixture"))
OPERATORS = tuple(
    Semilinear(
        name=name,
        statement="u_t = 0.02 (u^3 - u - 0.005 u_xx)_xx",
        group=group,
        horizon=1.0,
        inputs=inputs,
        linear=lambda k: MOBILITY * k * k * (1.0 - STIFFNESS * k * k),
        factor=lambda k: -MOBILITY * k * k,
        flux=lambda u: u * u * u,
        points=128,
        step=1e-3,
        ramp=0.02,
    )
    for name, group, inputs in NAMED
)
