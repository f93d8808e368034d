"""Readings on a grid -> a coefficient, without a network: derivatives, pooled normal equations, a spline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, final

import numpy as np
import torch
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from torch import Tensor, nn

from edgepde.s2gpt.gauss_newton_solve import gauss_newton_solve

from ..coefficient import design
from ..grid import Grid
from ..inverse.statement import statement
from ._member import Member
from ._taps import Derivatives
from ._terms import Terms

ITERATIONS, TOLERANCE = 4, 1e-7
MOST_SPLINES, MOST_TABLE = 128, 1 << 24
QUIET = 1e-9
"""Cells whose operator is below this part of the mean, squared, do not say anything."""


class Estimate(NamedTuple):
    """lam [M, Y, X]; band [M, Y, X]: half the width of an interval around it; residual [M]."""

    lam: Tensor
    band: Tensor
    residual: Tensor


@final
@dataclass(frozen=True)
class Estimator(Member):
    """half, degree: of the kernels, by axis of the grid. count: splines along each axis of lambda.

    curvature: weight of squared second differences of their coefficients. cells: samples per axis that are pooled into
    one row of the least squares. scale: a typical lambda. low, high: what is known of its range. widening: what the
    band's shape is multiplied by.
    """

    kind: ClassVar[str] = "estimator"
    statement: str
    half: tuple[int, ...]
    degree: tuple[int, ...]
    count: int = 8
    curvature: float = 1e-2
    cells: int = 2
    scale: float = 1.0
    low: float = -1e30
    high: float = 1e30
    widening: float = 1.0

    def build(self, grid: Grid) -> EstimatorModule:
        """The module; InputError where statement, windows or splines do not fit the grid."""
        return EstimatorModule(self, grid)


MEMBER = Estimator


class EstimatorModule(nn.Module):
    """Readings [M, n_1 .. n_d] in one row each -> Estimate.

    lambda = sum_kl c_kl B_k(y) B_l(x) in low .. high,
    c = argmin of sum over cells of S_DD (lambda - S_ND / S_DD)^2 + curvature |c''|^2,
    where N = left - source, D = what stands beside lambda, S_ab = sum over time and cell of a b.
    band = widening * RMS(N - lambda D) / sqrt(S_DD), S_DD smoothed as widely as a spline reaches.
    """

    def __init__(self, how: Estimator, grid: Grid) -> None:
        super().__init__()
        stated = statement(how.statement)
        for name, values in (("half", how.half), ("degree", how.degree)):
            if len(values) != len(grid.axes):
                raise InputError(f"estimator: {name}: expected {len(grid.axes)} numbers, got {list(values)}")
        if how.cells < 1 or not how.scale > 0.0 or how.curvature < 0.0 or not how.low < how.high:
            raise InputError(f"estimator: expected cells >= 1, scale > 0, curvature >= 0 and low < high, got {how}")
        self.how, self.grid = how, grid
        self.terms = Terms(stated, grid)
        half, degree = (dict(zip(grid.letters, v, strict=True)) for v in (how.half, how.degree))
        mirrored = stated.boundary == "zero-flux"
        self.derivatives = Derivatives(grid, self.terms.names, half, degree, mirrored=mirrored)
        self.gone = [1 + i for i, a in enumerate(grid.axes) if a.name not in stated.over]
        axes = [axis.values for axis in grid.axes if axis.name in stated.over]
        self.shape = tuple(len(values) for values in axes)
        self.solve = SplineFit(axes, how)

    def forward(self, readings: Tensor) -> Estimate:
        """The estimate of every row."""
        wanted, factor = self.sides(readings)
        lam, spread, converged = self.solve(*self.sums(wanted, factor))
        return self.judged(lam, spread, converged, wanted, factor)

    def sides(self, readings: Tensor) -> tuple[Tensor, Tensor]:
        """(left - source, D[u]) [M, n_1 .. n_d]."""
        sides: tuple[Tensor, Tensor] = self.terms(self.derivatives(readings))
        return sides

    def sums(self, wanted: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
        """S_DD and S_ND [M, Y, X], Y = 1 where lambda has one axis."""
        plane = (1, *self.shape) if len(self.shape) == 1 else self.shape
        dd, nd = (v.sum(self.gone) if self.gone else v for v in (factor * factor, factor * wanted))
        return dd.reshape(-1, *plane), nd.reshape(-1, *plane)

    def judged(self, lam: Tensor, spread: Tensor, converged: Tensor, wanted: Tensor, factor: Tensor) -> Estimate:
        """lambda [M, Y, X] in its range, with its band and the residual it leaves."""
        lam = lam.clamp(self.how.low, self.how.high)
        wide = lam.reshape(-1, *(n if 1 + i not in self.gone else 1 for i, n in enumerate(self.grid.shape)))
        wrong = wanted - wide * factor
        rms = (wrong * wrong).flatten(1).mean(1).sqrt()
        band = self.how.widening * rms[:, None, None] * spread
        shape = (-1, *self.shape)
        return Estimate(lam.reshape(shape), band.reshape(shape), torch.where(converged, rms, torch.inf))


@final
class SplineFit(nn.Module):
    """S_DD, S_ND [M, Y, X] -> lambda [M, Y, X], 1 / sqrt(S_DD smoothed) [M, Y, X], whether it was solved [M]."""

    def __init__(self, axes: list[NDArray[np.float64]], how: Estimator) -> None:
        super().__init__()
        size = math.prod(how.count * -(-len(values) // how.cells) for values in axes)
        if size > MOST_TABLE:
            raise InputError(f"estimator: cells x splines: expected a table of at most {MOST_TABLE}, got {size}")
        planes = axes if len(axes) == 2 else [None, *axes]
        sides = [_side(values, how) for values in planes]
        (pool_y, read_y, rows_y, bend_y, near_y), (pool_x, read_x, rows_x, bend_x, near_x) = sides
        basis = np.kron(rows_y, rows_x)
        eyes = [np.eye(b.shape[1]) for b in (bend_y, bend_x)]
        bends = np.concatenate([np.kron(bend_y, eyes[1]), np.kron(eyes[0], bend_x)])
        even = float((basis**2).mean(axis=0).mean())
        tables = {"pool_y": pool_y, "pool_x": pool_x.T, "near_y": near_y, "near_x": near_x.T}
        for name, table in tables.items():
            self.register_buffer(name, torch.from_numpy(table.copy()).float(), persistent=False)
        wide = {
            "read_y": read_y,
            "read_x": read_x.T,
            "basis": basis[None],
            "bends": np.sqrt(how.curvature * even) * bends,
            "lift": np.zeros((1, 1, len(basis))),
            "ones": np.ones((1, 1, len(basis))),
            "start": np.ones((1, basis.shape[1])),
            "target": np.zeros((1, len(bends))),
        }
        for name, table in wide.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(table)), persistent=False)
        self.register_buffer("rows", torch.tensor([[0], [1]]), persistent=False)
        self.scale, self.counts = how.scale, (rows_y.shape[1], rows_x.shape[1])

    def forward(self, s_dd: Tensor, s_nd: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The penalised least squares, one row of it per cell."""
        m, kind = s_dd.shape[0], s_dd.dtype
        pool_y, pool_x = (self.get_buffer(n).to(kind) for n in ("pool_y", "pool_x"))
        weight, right = ((pool_y @ s @ pool_x).flatten(1).double() for s in (s_dd, s_nd))
        mean = weight.mean(1, keepdim=True)
        weight, right = weight / mean, right / mean
        ratio = right / (self.scale * (weight + QUIET))
        c, converged = gauss_newton_solve(
            self.get_buffer("lift").expand(m, -1, -1),
            self.get_buffer("basis"),
            torch.cat([self.get_buffer("ones").expand(m, -1, -1), -ratio[:, None]], dim=1),
            (weight / weight.shape[1]).sqrt(),
            self.get_buffer("start").expand(m, -1),
            self.get_buffer("rows"),
            self.get_buffer("bends"),
            self.get_buffer("target").expand(m, -1),
            ITERATIONS,
            TOLERANCE,
        )
        lam = self.scale * (self.get_buffer("read_y") @ c.reshape(-1, *self.counts) @ self.get_buffer("read_x"))
        near = self.nearby(s_dd)
        spread = 1.0 / (near + QUIET * near.mean((1, 2), keepdim=True)).sqrt()
        return lam.to(kind), spread, converged

    def nearby(self, s: Tensor) -> Tensor:
        """Sums [M, Y, X] over as far as a spline reaches."""
        made: Tensor = self.get_buffer("near_y").to(s.dtype) @ s @ self.get_buffer("near_x").to(s.dtype)
        return made


def _side(values: NDArray[np.float64] | None, how: Estimator) -> tuple[NDArray[np.float64], ...]:
    """Along one axis: cells [C, n], splines [n, N], in cells [C, N], their bends [N - 2, N], sums nearby [n, n]."""
    if values is None:
        one = np.ones((1, 1))
        return one, one, one, np.zeros((0, 1)), one
    most = min(len(values), MOST_SPLINES)
    if not 4 <= how.count <= most:
        raise InputError(f"estimator: count: expected 4 to {most} splines, got {how.count}")
    cell = np.arange(len(values)) // how.cells
    pool = (cell == np.arange(cell[-1] + 1)[:, None]).astype(np.float64)
    read = design(values, how.count)
    rows = (pool @ read) / pool.sum(axis=1, keepdims=True)
    return pool, read, rows, np.diff(np.eye(how.count), 2, axis=0), read @ (read / read.sum(axis=0)).T
