"""What an S2GPT model and its table are off by, measured in float64: the model and compression terms."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from edgepde_runtime.box import Box
from numpy.typing import NDArray
from scipy.stats import qmc

from edgepde.certify.search import Worst, worst_case
from edgepde.problems.derivatives import by_name
from edgepde.problems.problem import Problem
from edgepde.s2gpt.field_table import FieldTable
from edgepde.s2gpt.grid import Axis, Grid, tensor_grid
from edgepde.s2gpt.reduced import ReducedModel, Rows, fold, lifted, residual_at, tabulate
from edgepde.train.holdout import HeldOut

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Where errors are measured: parameters [K, P] fill the box on its scales, points [M, d] the domain and its
    layers.
    """

    parameters: Array
    points: Array

    @property
    def words(self) -> str:
        """How a certificate names it."""
        return f"{len(self.parameters)} parameters x {len(self.points)} points"


def sample_of(
    problem: Problem, axes: tuple[Axis, ...], parameters: int = 97, points: int = 6000, seed: int = 0
) -> Sample:
    """Parameters: a grid on the problem's scales in one column, Sobol points and the corners in more.

    Points: half uniform in the domain, half where the snapshots vary most, on both sides of odd coordinates, and
    corners.
    """
    columns = problem.parameters.dimension
    corners = np.array(list(product(*[(-1.0, 1.0)] * columns)))[:64]
    if columns == 1:
        s = np.linspace(-1.0, 1.0, parameters)[:, None]
    else:
        s = np.concatenate([corners, 2.0 * qmc.Sobol(columns, seed=seed).random(128)[:parameters] - 1.0])
    rng = np.random.default_rng(seed + 1)
    unit = rng.random((points, len(axes)))
    straight = np.arange(points) % 2 == 0
    folded = [np.where(straight, Axis(a.low, a.high).at(unit[:, i]), a.at(unit[:, i])) for i, a in enumerate(axes)]
    where = np.stack(folded, axis=1)
    for name in problem.odd:
        where[:, problem.coordinates.names.index(name)] *= np.where(rng.random(points) < 0.5, -1.0, 1.0)
    ends = zip(problem.coordinates.low, problem.coordinates.high, strict=True)
    return Sample(problem.unscaled(s), np.concatenate([where, np.array(list(product(*ends)))]))


def tabulated_field(model: ReducedModel, table: FieldTable, parameters: Array, points: Array) -> Array:
    """The field as the device computes it, in float64: [B, M]; rows that did not converge are NaN."""
    coefficients, converged = model.solve(parameters)
    folded, sign = fold(model.problem, points)
    field = coefficients @ table.basis(folded).T + lifted(model.problem, parameters, folded)
    return np.where(converged[:, None], sign * field, np.nan)


def compression_error(reference: ReducedModel, model: ReducedModel, table: FieldTable, sample: Sample) -> Worst:
    """sup |reference network - truncated and tabulated model|, both in float64."""

    def error(parameters: Array, points: Array) -> Array:
        return tabulated_field(model, table, parameters, points) - reference.field(parameters, points)

    return worst_case(error, sample.parameters, sample.points, boxes(reference.problem))


def model_error(reference: ReducedModel, sample: Sample) -> Worst | None:
    """sup |reference network - exact solution|, None where the problem has no reference solution."""
    exact = reference.problem.reference
    if exact is None:
        return None

    def error(parameters: Array, points: Array) -> Array:
        return reference.field(parameters, points) - exact(parameters, points)

    return worst_case(error, sample.parameters, sample.points, boxes(reference.problem))


@dataclass(frozen=True)
class HeldOutError:
    """The largest |reference network - held-out value|, over how many distinct parameters and values, of which file."""

    worst: float
    parameters: int
    values: int
    source: str


def held_out_error(reference: ReducedModel, held: HeldOut) -> HeldOutError:
    """Compare with held-out values; a row whose solve does not converge counts as infinite."""
    difference = np.abs(reference.field(held.parameters, held.points) - held.values)
    worst = float(np.where(np.isfinite(difference), difference, np.inf).max())
    rows = len(np.unique(held.parameters, axis=0))
    return HeldOutError(worst, rows, held.values.size, Path(held.source).name)


def boxes(problem: Problem) -> tuple[Box, Box]:
    """The boxes of parameters and coordinates."""
    return problem.parameters, problem.coordinates


def residual_sup(reference: ReducedModel, axes: tuple[Axis, ...], sample: Sample, count: int = 4000) -> float:
    """sup |PDE residual| of the reference network over the sample's parameters and a dense grid of the folded
    domain.
    """
    residual, _ = _residual(reference, axes, sample, count)
    return float(np.abs(residual).max())


def residual_l1(reference: ReducedModel, axes: tuple[Axis, ...], sample: Sample, count: int = 4000) -> float | None:
    """The L1 error bound of the stability weight w, sup over parameters of int w |r| dx on the whole domain.

    None where the problem knows no such weight. The integral is a quadrature without a bound of its own.
    """
    weight = reference.problem.l1_stability
    if weight is None:
        return None
    residual, grid = _residual(reference, axes, sample, count)
    coordinates = by_name(reference.problem.coordinates.names, torch.from_numpy(grid.points))
    integral = (np.abs(residual) * weight(coordinates).numpy() * grid.weights).sum(axis=1)
    return float(integral.max()) * 2.0 ** len(reference.problem.odd)


def _residual(reference: ReducedModel, axes: tuple[Axis, ...], sample: Sample, count: int) -> tuple[Array, Grid]:
    problem = reference.problem
    grid = tensor_grid(axes, [max(4, round(count ** (1.0 / len(axes))))] * len(axes))
    basis = tabulate(problem, reference.layers, reference.theta, reference.transform, grid.points, problem.factors)
    coefficients, converged = reference.solve(sample.parameters)
    rows = Rows(grid.points, np.ones(len(grid.points)), basis)
    residual = residual_at(problem, rows, sample.parameters, coefficients)
    return np.where(converged[:, None], residual, np.inf), grid
