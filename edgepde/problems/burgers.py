"""Viscous Burgers equation: u_t + u u_x - nu u_xx = 0 on [-1, 1] x [0, 1], u(x, 0) = -sin(pi x), u(+-1, t) = 0."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from edgepde_runtime.box import Box
from numpy.typing import NDArray

from edgepde.problems.problem import Named, Problem, Term


def cole_hopf(parameters: NDArray[np.float64], points: NDArray[np.float64], step: float = 0.1) -> NDArray[np.float64]:
    """The exact solution by the Cole-Hopf transformation, stable down to nu = 0.005.

    u(x, t) = - int sin(pi y) w dz / int w dz,  y = x - z sqrt(4 nu t),  w = exp(-cos(pi y)/(2 pi nu) - z^2),
    by the trapezoidal rule (spectrally accurate here) with the largest exponent factored out.
    parameters [B, 1] (nu), points [M, 2] (x, t) -> [B, M]. Source: Basdevant et al. 1986, Computers and Fluids 14(1).
    """
    out = np.empty((len(parameters), len(points)))
    x, t = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    for b, nu in enumerate(np.asarray(parameters, dtype=np.float64)[:, 0]):
        reach = math.sqrt(45.0 + 1.0 / (math.pi * nu))
        z = np.arange(-reach, reach + step, step)
        for start in range(0, len(points), 4096):
            rows = slice(start, start + 4096)
            y = x[rows, None] - z[None, :] * np.sqrt(4.0 * nu * t[rows, None])
            exponent = -np.cos(np.pi * y) / (2.0 * np.pi * nu) - z[None, :] ** 2
            w = np.exp(exponent - exponent.max(axis=1, keepdims=True))
            out[b, rows] = -(np.sin(np.pi * y) * w).sum(axis=1) / w.sum(axis=1)
    return out


def _heat_lift(coordinates: Named, parameters: Named) -> Any:
    decay = torch.exp(-parameters["nu"] * math.pi**2 * coordinates["t"])
    return -torch.sin(math.pi * coordinates["x"]) * decay


def _mask(coordinates: Named) -> Any:
    x = coordinates["x"]
    return coordinates["t"] * x * (1.0 - x)


def burgers(low: float = 0.005, high: float = 1.0) -> Problem:
    """Burgers for viscosities nu in [low, high]; odd in x; lift -sin(pi x) exp(-nu pi^2 t), the heat equation's
    solution.

    The L1 contraction of scalar conservation laws with exact data gives int int |e| <= int int (1 - t) |r| for every
    nu.
    """
    return Problem(
        name="burgers",
        about="viscous Burgers, shock layer of width ~nu at x = 0",
        unit="m/s",
        coordinates=Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"], ["m", "s"]),
        parameters=Box([low], [high], ["nu"], ["m^2/s"]),
        scales=("log",),
        odd=("x",),
        terms=(
            Term(lambda c, p: torch.ones_like(c["x"]), ("u_t",)),
            Term(lambda c, p: torch.ones_like(c["x"]), ("u", "u_x")),
            Term(lambda c, p: -p["nu"] * torch.ones_like(c["x"]), ("u_xx",)),
        ),
        lift=_heat_lift,
        mask=_mask,
        reference=cole_hopf,
        l1_stability=lambda c: 1.0 - c["t"],
    )
