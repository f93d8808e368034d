"""Levenberg-Marquardt for a batch of independent least-squares problems, Nielsen's damping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Linearise = Callable[[Tensor], tuple[Tensor, Tensor]]


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

    (J^T J / M + mu I) d = -J^T r / M; accepted where the cost falls. mu shrinks with the gain ratio and grows on
    rejection.
    A factorisation that fails or a cost that is not finite counts as a rejection. Source: Nielsen 1999,
    IMM-REP-1999-05.
    """
    r, jacobian = linearise(theta)
    rows = r.shape[1]
    cost = (r * r).mean(dim=1)
    gradient = torch.bmm(jacobian.transpose(1, 2), r[:, :, None])[:, :, 0] / rows
    normal = torch.bmm(jacobian.transpose(1, 2), jacobian) / rows
    normal.diagonal(dim1=1, dim2=2).add_(damping.mu[:, None])
    factor, failed = torch.linalg.cholesky_ex(normal)
    delta = -torch.cholesky_solve(gradient[:, :, None], factor)[:, :, 0]
    trial = theta + delta
    new = (residual(trial) ** 2).mean(dim=1)
    predicted = (delta * (damping.mu[:, None] * delta - gradient)).sum(dim=1)
    gain = (cost - new) / predicted.clamp_min(torch.finfo(torch.float64).tiny)
    accepted = (failed == 0) & torch.isfinite(new) & (new < cost) & active
    shrink = torch.clamp(1.0 - (2.0 * gain - 1.0) ** 3, min=1.0 / 3.0)
    damping.mu = torch.where(
        accepted, damping.mu * shrink, torch.where(active, damping.mu * damping.growth, damping.mu)
    )
    damping.mu = damping.mu.clamp(1e-18, 1e12)
    damping.growth = torch.where(accepted, 2.0, torch.where(active, damping.growth * 2.0, damping.growth))
    damping.growth = damping.growth.clamp(max=2.0**20)
    return torch.where(accepted[:, None], trial, theta), torch.where(accepted, new, cost)
