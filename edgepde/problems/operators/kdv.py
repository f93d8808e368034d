"""The Korteweg-de Vries equation."""

from ._semilinear import Semilinear

DISPERSION = 0.022
OPERATORS = (
    Semilinear(
        name="kdv",
        statement="u_t + u u_x + 0.022^2 u_xxx = 0",
        group=4,
        horizon=0.5,
        linear=lambda k: 1j * DISPERSION**2 * k**3,
        factor=lambda k: -1j * k,
        flux=lambda u: 0.5 * u * u,
        points=256,
        step=2e-3,
    ),
)
