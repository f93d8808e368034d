"""The reduced model: u = lift + mask sum_n c_n(mu) xi_n, with c from damped Gauss-Newton on the collocation rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from edgepde_runtime.ops.gauss_newton_solve import reference as gauss_newton
from numpy.typing import NDArray

from edgepde.problems.derivatives import lift_factors, term_coefficients, term_table
from edgepde.problems.problem import Problem
from edgepde.s2gpt import start
from edgepde.s2gpt.snapshot import Layers, homogeneous_factors

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """The residual statement tabulated at points [R, d]: basis factors [F, R, N] and row weights [R]."""

    points: Array
    weights: Array
    basis: Array


@dataclass(frozen=True)
class ReducedModel:
    """Snapshots theta [N, n] at parameters [N, P], transform T [N, N], start matrix [Q, N]; float64 throughout.

    rows: what the solver sees. validation: rows it does not see, whose residual is reported.
    """

    problem: Problem
    layers: Layers
    theta: torch.Tensor
    parameters: Array
    transform: Array
    rows: Rows
    validation: Rows
    start_degree: int
    start_matrix: Array

    @property
    def size(self) -> int:
        """Number of unknowns N."""
        return len(self.transform)

    def basis(self, points: Array) -> Array:
        """xi_n at points [M, d] of the folded domain: [M, N]."""
        return tabulate(self.problem, self.layers, self.theta, self.transform, points, ("u",))[0]

    def solve(self, parameters: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Coefficients [B, N] and whether each solve converged [B], for parameters [B, P]."""
        guess = start.features(self.problem.scaled(parameters), self.start_degree) @ self.start_matrix
        return solve_rows(self.problem, self.rows, parameters, guess)

    def residual(self, parameters: Array, coefficients: Array) -> Array:
        """RMS of the PDE residual on the validation rows: [B]."""
        r = residual_at(self.problem, self.validation, parameters, coefficients)
        return np.asarray(np.sqrt((r * r).mean(axis=1)))

    def field(self, parameters: Array, points: Array, coefficients: Array | None = None) -> Array:
        """u at points [M, d] of the whole domain: [B, M]; rows that did not converge are NaN."""
        if coefficients is None:
            coefficients, converged = self.solve(parameters)
            coefficients = np.where(converged[:, None], coefficients, np.nan)
        folded, sign = fold(self.problem, points)
        return sign * (lifted(self.problem, parameters, folded) + coefficients @ self.basis(folded).T)

    def truncated(self, size: int) -> ReducedModel:
        """The nested model of the first `size` basis functions on the same rows."""

        def cut(rows: Rows) -> Rows:
            return replace(rows, basis=rows.basis[:, :, :size])

        return replace(
            self,
            theta=self.theta[:size],
            parameters=self.parameters[:size],
            transform=self.transform[:size, :size],
            rows=cut(self.rows),
            validation=cut(self.validation),
            start_matrix=self.start_matrix[:, :size],
        )


def tabulate(
    problem: Problem, layers: Layers, theta: torch.Tensor, transform: Array, points: Array, factors: tuple[str, ...]
) -> Array:
    """Factors of xi at points [R, d] of the folded domain: [F, R, N]."""
    raw = homogeneous_factors(problem, layers, theta, factors, torch.from_numpy(np.ascontiguousarray(points)))
    return np.asarray(raw.cpu().numpy() @ transform)


def statement(problem: Problem, points: Array, parameters: Array) -> tuple[Array, Array, NDArray[np.int64]]:
    """The op's inputs that the problem alone decides: lift [B, F, R], coefficients [B, T, R], terms [T, K]."""
    x, mu = torch.from_numpy(np.ascontiguousarray(points)), torch.from_numpy(np.ascontiguousarray(parameters))
    lift = lift_factors(problem, problem.factors, x, mu).numpy()
    return lift, term_coefficients(problem, x, mu).numpy(), np.asarray(term_table(problem), dtype=np.int64)


def solve_rows(problem: Problem, rows: Rows, parameters: Array, guess: Array) -> tuple[Array, NDArray[np.bool_]]:
    """The op gauss_newton_solve on these rows: coefficients [B, N] and converged [B]."""
    lift, coefficients, terms = statement(problem, rows.points, parameters)
    weights = np.broadcast_to(rows.weights, (len(parameters), len(rows.weights)))
    none = np.zeros((0, guess.shape[1])), np.zeros((len(parameters), 0))
    solution, done = gauss_newton.run([lift, rows.basis, coefficients, weights, guess, terms, *none], {})
    return solution, done


def residual_at(problem: Problem, rows: Rows, parameters: Array, solution: Array) -> Array:
    """Unweighted PDE residual at the rows' points for coefficients [B, N]: [B, R]."""
    lift, coefficients, terms = statement(problem, rows.points, parameters)
    values = gauss_newton.factor_values(lift, rows.basis, solution)
    return gauss_newton.residual(values, coefficients, np.ones((len(parameters), len(rows.points))), terms)


def fold(problem: Problem, points: Array) -> tuple[Array, Array]:
    """Points [M, d] mapped to the folded domain, and the sign [M] the odd coordinates give."""
    folded, sign = np.array(points, dtype=np.float64), np.ones(len(points))
    for name in problem.odd:
        i = problem.coordinates.names.index(name)
        sign *= np.where(folded[:, i] < 0.0, -1.0, 1.0)
        folded[:, i] = np.abs(folded[:, i])
    return folded, sign


def lifted(problem: Problem, parameters: Array, points: Array) -> Array:
    """The lift at points [M, d] of the folded domain: [B, M]."""
    x, mu = torch.from_numpy(np.array(points, dtype=np.float64)), torch.from_numpy(np.ascontiguousarray(parameters))
    return np.asarray(lift_factors(problem, ("u",), x, mu).numpy()[:, 0])
