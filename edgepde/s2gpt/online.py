"""The online stage as a torch module: what lowering turns into the device's graph."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from edgepde.problems.derivatives import lift_factors, term_coefficients, term_table
from edgepde.problems.problem import Problem
from edgepde.s2gpt import start
from edgepde.s2gpt.field_table import FieldTable
from edgepde.s2gpt.gauss_newton_solve import DEFAULTS, gauss_newton_solve
from edgepde.s2gpt.online_field import Field
from edgepde.s2gpt.reduced import ReducedModel, Rows


class Start(nn.Module):
    """First guess of the coefficients: parameters [B, P] float64 -> [B, N]."""

    matrix: Tensor

    def __init__(self, model: ReducedModel) -> None:
        super().__init__()
        problem = model.problem
        self.degree = model.start_degree
        self.logarithmic = [scale == "log" for scale in problem.scales]
        ends = zip(problem.parameters.low, problem.parameters.high, self.logarithmic, strict=True)
        self.ends = [(math.log(a), math.log(b)) if is_log else (a, b) for a, b, is_log in ends]
        self.exponents = start.exponents(len(self.ends), self.degree)
        self.register_buffer("matrix", torch.from_numpy(model.start_matrix))

    def forward(self, parameters: Tensor) -> Tensor:
        columns = []
        for i, (low, high) in enumerate(self.ends):
            value = torch.log(parameters[:, i]) if self.logarithmic[i] else parameters[:, i]
            s = torch.clamp(2.0 * (value - low) / (high - low) - 1.0, -1.0, 1.0)
            columns.append(self._chebyshev(s))
        chosen = []
        for exponent in self.exponents:
            feature = columns[0][exponent[0]]
            for column, k in zip(columns[1:], exponent[1:], strict=True):
                feature = feature * column[k]
            chosen.append(feature)
        return torch.stack(chosen, dim=1) @ self.matrix

    def _chebyshev(self, s: Tensor) -> list[Tensor]:
        values = [torch.ones_like(s), s]
        while len(values) <= self.degree:
            values.append(2.0 * s * values[-1] - values[-2])
        return values


class Statement(nn.Module):
    """The residual statement at fixed rows: lift factors [B, F, R] and term coefficients [B, T, R] of parameters [B,
    P].
    """

    points: Tensor
    weights: Tensor
    basis: Tensor
    terms: Tensor

    def __init__(self, problem: Problem, rows: Rows) -> None:
        super().__init__()
        self.problem = problem
        self.register_buffer("points", torch.from_numpy(rows.points))
        self.register_buffer("weights", torch.from_numpy(rows.weights))
        self.register_buffer("basis", torch.from_numpy(np.ascontiguousarray(rows.basis)))
        self.register_buffer("terms", torch.tensor(term_table(problem), dtype=torch.int64))

    def forward(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return (
            lift_factors(self.problem, self.problem.factors, self.points, parameters),
            term_coefficients(self.problem, self.points, parameters),
        )


class Coefficients(nn.Module):
    """parameters [B, P] float64 -> coefficients [B, N] and residual [B]: RMS on unseen rows, +inf where not
    converged.
    """

    no_constraint: Tensor

    def __init__(self, model: ReducedModel) -> None:
        super().__init__()
        self.start = Start(model)
        self.rows = Statement(model.problem, model.rows)
        self.validation = Statement(model.problem, model.validation)
        self.table = term_table(model.problem)
        self.register_buffer("no_constraint", torch.zeros((0, model.size), dtype=torch.float64))

    def forward(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        lift, coefficients = self.rows(parameters)
        solution, converged = gauss_newton_solve(
            lift,
            self.rows.basis,
            coefficients,
            self.rows.weights.expand(parameters.shape[0], -1),
            self.start(parameters),
            self.rows.terms,
            self.no_constraint,
            parameters[:, :0],
            int(DEFAULTS["max_iterations"]),  # type: ignore[arg-type]
            float(DEFAULTS["tolerance"]),  # type: ignore[arg-type]
        )
        rms = torch.sqrt((self._residual(parameters, solution) ** 2).mean(dim=1))
        finite = torch.abs(rms) < torch.inf
        return solution, torch.where(converged & finite, rms, torch.inf)

    def _residual(self, parameters: Tensor, solution: Tensor) -> Tensor:
        lift, coefficients = self.validation(parameters)
        count, rows, size = self.validation.basis.shape
        flat = solution @ self.validation.basis.reshape(count * rows, size).T
        values = lift + flat.reshape(-1, count, rows)
        total = torch.zeros_like(coefficients[:, 0])
        for t, row in enumerate(self.table):
            term = coefficients[:, t]
            for f in row:
                if f < count:
                    term = term * values[:, f]
            total = total + term
        return total


class Online(nn.Module):
    """parameters [B, P] float64, points [M, d] float32 -> u [B, M] float32, residual [B] float64."""

    def __init__(self, model: ReducedModel, table: FieldTable) -> None:
        super().__init__()
        self.coefficients = Coefficients(model)
        self.field = Field(model.problem, table)

    def forward(self, parameters: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        coefficients, residual = self.coefficients(parameters)
        return self.field(coefficients, parameters, points), residual
