"""A heated rod that loses heat, without an exact solution.

u_t - kappa u_xx + beta u = 4 x (1 - x), u(x, 0) = sin(pi x), u = 0 at both ends.
"""

import math

import torch
from edgepde_runtime.box import Box

from edgepde.problems.problem import Problem, Term

PROBLEM = Problem(
    name="heated_rod",
    coordinates=Box([0, 0], [1, 1], ["x", "t"], ["m", "s"]),
    parameters=Box([0.05, 0.0], [0.5, 2.0], ["kappa", "beta"], ["m^2/s", "1/s"]),
    scales=("log", "linear"),
    unit="K",
    terms=(
        Term(lambda c, p: torch.ones_like(c["x"]), ("u_t",)),
        Term(lambda c, p: -p["kappa"], ("u_xx",)),
        Term(lambda c, p: p["beta"], ("u",)),
        Term(lambda c, p: -4.0 * c["x"] * (1.0 - c["x"])),
    ),
    lift=lambda c, p: torch.sin(math.pi * c["x"]),
    mask=lambda c: c["t"] * c["x"] * (1.0 - c["x"]),
    sup_stability=1.0,
)
