"""Levenberg-Marquardt for a batch of independent least-squares problems, Nielsen's damping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy.linalg.blas import dsyrk
from torch import Tensor

Linearise = Callable[[Tensor], tuple[Tensor, Tensor]]

TRIALS = 4
SMALLEST = torch.finfo(torch.float64).tiny


@dataclass
class Damping:
    """Per-problem damping mu and growth factor, both [S]; mu multiplies the identity."""

    mu: Tensor
    growth: Tensor

    @classmethod
    def initial(cls, batch: int, device: torch.device, value: float = 1e-3) -> Damping:
        """mu = value, growth = 2."""
        full = torch.full((batch,), value, dtype=torch.float64, device=device)
        return cls(full, torch.full_like(full, 2.0))


def step(
    theta: Tensor, linearise: Linearise, residual: Callable[[Tensor], Tensor], damping: Damping, active: Tensor
) -> tuple[Tensor, Tensor]:
    """One step on min |r(theta)|^2 / M: theta [S, n] -> (theta [S, n], cost [S]); frozen where not `active` [S].

    (J^T J / M + mu I) d = -J^T r / M; accepted where the cost falls, else tried again with more damping, four times at
    most on one linearisation. mu shrinks with the gain ratio and grows on rejection. A factorisation that fails or a
    cost that is not finite counts as a rejection. Source: Nielsen 1999, IMM-REP-1999-05.
    """
    r, jacobian = linearise(theta)
    cost = (r * r).mean(dim=1)
    gradient = torch.bmm(jacobian.transpose(1, 2), r[:, :, None])[:, :, 0] / r.shape[1]
    normal = gram(jacobian)
    found, pending = theta, active
    for _ in range(TRIALS):
        delta, sound = _solve(normal, gradient, damping.mu)
        trial = theta + delta
        new = (residual(trial) ** 2).mean(dim=1)
        accepted = sound & torch.isfinite(new) & (new < cost) & pending
        predicted = (delta * (damping.mu[:, None] * delta - gradient)).sum(dim=1)
        _adapt(damping, (cost - new) / predicted.clamp_min(SMALLEST), accepted, pending)
        found = torch.where(accepted[:, None], trial, found)
        cost = torch.where(accepted, new, cost)
        pending = pending & ~accepted
        if not bool(pending.any()):
            break
    return found, cost


def gram(jacobian: Tensor) -> Tensor:
    """J^T J / M of every problem: J [S, M, n] -> [S, n, n], of which only the lower triangles are meant."""
    rows = jacobian.shape[1]
    if jacobian.device.type != "cpu":
        return torch.bmm(jacobian.transpose(1, 2), jacobian) / rows
    products = [dsyrk(1.0 / rows, one.numpy().T, lower=1) for one in jacobian]
    return torch.stack([torch.from_numpy(product) for product in products])


def _solve(normal: Tensor, gradient: Tensor, mu: Tensor) -> tuple[Tensor, Tensor]:
    """d = -(normal + mu I)^-1 gradient and whether the factorisation held: [S, n], [S]."""
    damped = normal.clone()
    damped.diagonal(dim1=1, dim2=2).add_(mu[:, None])
    factor, failed = torch.linalg.cholesky_ex(damped)
    return -torch.cholesky_solve(gradient[:, :, None], factor)[:, :, 0], failed == 0


def _adapt(damping: Damping, gain: Tensor, accepted: Tensor, pending: Tensor) -> None:
    """Nielsen's rule: mu max(1/3, 1 - (2 gain - 1)^3) where accepted, mu growth and twice the growth where rejected."""
    shrunk = damping.mu * torch.clamp(1.0 - (2.0 * gain - 1.0) ** 3, min=1.0 / 3.0)
    grown = torch.where(pending, damping.mu * damping.growth, damping.mu)
    damping.mu = torch.where(accepted, shrunk, grown).clamp(1e-18, 1e12)
    growth = torch.where(pending, damping.growth * 2.0, damping.growth)
    damping.growth = torch.where(accepted, 2.0, growth).clamp(max=2.0**20)
