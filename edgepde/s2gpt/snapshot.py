"""Snapshots: full PINNs u = lift + mask N(x) at chosen parameters, trained by Levenberg-Marquardt on the PDE
residual.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb, prod

import torch
from torch import Tensor

from edgepde.problems.derivatives import lift_factors, mask_derivatives, term_coefficients, term_table
from edgepde.problems.problem import Problem
from edgepde.s2gpt import jet_mlp
from edgepde.train.levenberg_marquardt import Damping, step

Order = tuple[int, ...]
Layers = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Settings:
    """How a snapshot is trained; `tolerance` is RMS residual over RMS size of its terms, on points drawn afresh."""

    iterations: int = 300
    points: int = 1000
    resample_every: int = 25
    tolerance: float = 1e-5


class MaskProduct:
    """D^a (mask N) by Leibniz' rule from the jet of N: sum_b C(a, b) D^(a-b) mask D^b N, for every factor of a
    problem.
    """

    def __init__(self, problem: Problem, factors: Sequence[str], points: Tensor, orders: Sequence[Order]) -> None:
        masks = dict(zip(orders, mask_derivatives(problem, orders, points), strict=True))
        self._rules: list[list[tuple[int, Tensor]]] = []
        for order in (problem.order(f) for f in factors):
            rule = []
            for channel, inner in enumerate(orders):
                outer = tuple(a - b for a, b in zip(order, inner, strict=True))
                if min(outer) >= 0:
                    weight = prod(comb(a, b) for a, b in zip(order, inner, strict=True))
                    rule.append((channel, weight * masks[outer]))
            self._rules.append(rule)

    def __call__(self, jet: Tensor) -> Tensor:
        """Jet [..., C, M] -> factors [..., F, M]."""
        rows = [
            sum((m * jet[..., c, :] for c, m in rule[1:]), rule[0][1] * jet[..., rule[0][0], :]) for rule in self._rules
        ]
        return torch.stack(rows, dim=-2)


def polynomial(values: Tensor, coefficients: Tensor, table: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Residual sum_t c_t prod_k v_table[t][k] and size sum_t |same|: values [B, F, R], c [B, T, R] -> two [B, R]."""
    residual = torch.zeros_like(coefficients[:, 0])
    size = torch.zeros_like(residual)
    for t, row in enumerate(table):
        term = coefficients[:, t]
        for f in row:
            if f < values.shape[1]:
                term = term * values[:, f]
        residual = residual + term
        size = size + term.detach().abs()
    return residual, size


class Residual:
    """The PDE residual of networks at one set of points [M, d] shared by all parameters [S, P]."""

    def __init__(self, problem: Problem, layers: Layers, points: Tensor, parameters: Tensor) -> None:
        factors = problem.factors
        self._layers, self._table = layers, term_table(problem)
        self._orders = jet_mlp.closure([problem.order(f) for f in factors])
        self._points = points.expand(parameters.shape[0], *points.shape)
        self._lift = lift_factors(problem, factors, points, parameters)
        self._coefficients = term_coefficients(problem, points, parameters)
        self._mask = MaskProduct(problem, factors, points, self._orders)

    def of_jet(self, jet: Tensor) -> Tensor:
        """Residual [S, M] of a jet [S, C, M]."""
        return polynomial(self._lift + self._mask(jet), self._coefficients, self._table)[0]

    def __call__(self, theta: Tensor) -> Tensor:
        """Residual [S, M] of weights [S, n]."""
        return self.of_jet(jet_mlp.forward(theta, self._layers, self._points, self._orders))

    def sized(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Residual and the sum of its terms' magnitudes, both [S, M]."""
        jet = jet_mlp.forward(theta, self._layers, self._points, self._orders)
        return polynomial(self._lift + self._mask(jet), self._coefficients, self._table)

    def linearise(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Residual [S, M] and its Jacobian [S, M, n]."""
        return jet_mlp.residual_and_jacobian(theta, self._layers, self._points, self._orders, self.of_jet)


def uniform_points(problem: Problem, n: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """n points drawn uniformly from the problem's domain, float64 [n, d]."""
    box = problem.domain
    low, high = (torch.tensor(v, dtype=torch.float64) for v in (box.low, box.high))
    return (low + (high - low) * torch.rand(n, box.dimension, generator=generator, dtype=torch.float64)).to(device)


def train(
    problem: Problem,
    layers: Layers,
    theta: Tensor,
    parameters: Tensor,
    settings: Settings,
    generator: torch.Generator,
    tick: Callable[[int, float], None] = lambda iteration, residual: None,
) -> tuple[Tensor, Tensor]:
    """Train S networks at parameters [S, P] from theta [S, n] as one batch: (best theta, its fresh relative residual
    [S]).

    Points are redrawn every `resample_every` iterations from a fourfold pool with probability 1 + |r| / mean |r|;
    the pool,
    being fresh, also decides what is best and when to stop. tick(iteration, worst residual) is called at each redraw.
    """
    damping = Damping.initial(len(theta), theta.device)
    best, best_residual = theta, torch.full((len(theta),), torch.inf, dtype=torch.float64, device=theta.device)
    for iteration in range(settings.iterations + 1):
        if iteration % settings.resample_every == 0 or iteration == settings.iterations:
            pool = uniform_points(problem, 4 * settings.points, generator, theta.device)
            r, size = Residual(problem, layers, pool, parameters).sized(theta)
            relative = (r.square().mean(dim=1) / size.square().mean(dim=1)).sqrt().nan_to_num(torch.inf)
            better = relative < best_residual
            best = torch.where(better[:, None], theta, best)
            best_residual = torch.where(better, relative, best_residual)
            tick(iteration, float(best_residual.max()))
            active = best_residual > settings.tolerance
            if iteration == settings.iterations or not bool(active.any()):
                break
            odds = (r.abs() / r.abs().mean(dim=1, keepdim=True)).nan_to_num(0.0).mean(dim=0) + 1.0
            chosen = torch.multinomial(odds.cpu(), settings.points, generator=generator).to(theta.device)
            rows = Residual(problem, layers, pool[chosen], parameters)
        theta, _ = step(theta, rows.linearise, rows, damping, active)
    return best, best_residual


def homogeneous_factors(
    problem: Problem, layers: Layers, theta: Tensor, factors: Sequence[str], points: Tensor
) -> Tensor:
    """Every factor of mask N_n for each network: theta [N, n], points [R, d] -> [F, R, N]."""
    orders = jet_mlp.closure([problem.order(f) for f in factors])
    product = MaskProduct(problem, factors, points, orders)
    with torch.no_grad():
        jet = jet_mlp.forward(theta, layers, points.expand(len(theta), *points.shape), orders)
        return product(jet).permute(1, 2, 0).contiguous()
