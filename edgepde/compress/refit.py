"""All weights of a smaller network moved so that it follows the original where it is furthest from it.

Levenberg-Marquardt on sum w_i |h(x_i) - f(x_i)|^2; the weights w_i grow with the error at x_i, so that the sum comes
near the largest error rather than the mean (iteratively reweighted least squares for a large power).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from edgepde.certify.network import Affine, Network
from edgepde.compress.adjoint import adjoints, replaced
from edgepde.compress.joints import shared_places
from edgepde.train.levenberg_marquardt import Damping, step

POWERS = (2.0, 4.0, 8.0, 14.0)
ROUND, PATIENCE, CYCLES = 8, 3, 12
ENOUGH = 0.98
FLOOR, FIRST_DAMPING = 1e-3, 1e-6
ACTIVE = torch.ones(1, dtype=torch.bool)


@dataclass(frozen=True)
class Target:
    """Points x [N, d], what the original is there, y [N, m], and how much the error may be, limit [N].

    The first `fitted` are fitted to, all are looked at. Errors are in units of the limit.
    """

    x: Tensor
    y: Tensor
    limit: Tensor
    fitted: int

    @property
    def few(self) -> Tensor:
        """The points that are fitted to."""
        return self.x[: self.fitted]

    def joined(self, x: Tensor, y: Tensor, limit: Tensor) -> Target:
        """The target with more points, fitted to as well."""
        count = self.fitted + len(x)
        return Target(torch.cat([x, self.x]), torch.cat([y, self.y]), torch.cat([limit, self.limit]), count)

    def worst(self, network: Network) -> float:
        """The largest error over all points; infinite where it is no number."""
        worst = float(((network(self.x) - self.y).abs() / self.limit[:, None]).max())
        return math.inf if math.isnan(worst) else worst


def refit(
    network: Network, target: Target, goal: float, seconds: float, told: Callable[[float], None] | None = None
) -> tuple[Network, float]:
    """The best network seen and its largest error over the points; stops below `goal` or when time is over.

    Matrices that several layers share stay as they are.
    """
    with torch.no_grad():
        return _Refit(network, target).run(goal, time.monotonic() + seconds, told)


class _Refit:
    def __init__(self, network: Network, target: Target) -> None:
        self.network, self.target = network, target
        shared = shared_places(network)
        self.places = [p for p, n in enumerate(network.nodes) if isinstance(n, Affine) and p not in shared]
        self.x, self.y = target.x[: target.fitted], target.y[: target.fitted]
        self.unit = 1.0 / target.limit[: target.fitted, None]
        self.weights = torch.ones_like(self.y)
        self.scale = 1.0

    def run(self, goal: float, until: float, told: Callable[[float], None] | None) -> tuple[Network, float]:
        """Cycles through the powers, each from the best network so far, until one improves it by little."""
        best, least = self.network, self.target.worst(self.network)
        for cycle in range(CYCLES):
            before, damping = least, Damping.initial(1, torch.device("cpu"), FIRST_DAMPING)
            theta = self._packed(best)
            for power in POWERS[min(cycle, 1) :]:
                stalled = 0
                while stalled < PATIENCE and time.monotonic() < until and least > goal:
                    theta, found, worst = self._round(theta, damping, power, goal, until)
                    stalled = 0 if worst < ENOUGH * least else stalled + 1
                    best, least = (found, worst) if worst < least else (best, least)
                    if told is not None:
                        told(least)
            if time.monotonic() > until or least <= goal or least > ENOUGH * before:
                break
        return best, least

    def _round(
        self, theta: Tensor, damping: Damping, power: float, goal: float, until: float
    ) -> tuple[Tensor, Network, float]:
        """A few steps on one weighing: where they end, the best network on the way and its largest error."""
        self._reweigh(theta[0], power)
        best, least = self.network, math.inf
        for _ in range(ROUND):
            theta, _ = step(theta, self._linearise, self._residual, damping, ACTIVE)
            made = self._network(theta[0])
            worst = self.target.worst(made)
            best, least = (made, worst) if worst < least else (best, least)
            if time.monotonic() > until or least <= goal:
                break
        return theta, best, least

    def _packed(self, network: Network) -> Tensor:
        flat = [t.reshape(-1) for p in self.places for t in _held(network, p)]
        return torch.cat(flat)[None].clone()

    def _network(self, theta: Tensor) -> Network:
        changes, start = {}, 0
        for place in self.places:
            weight, bias = _held(self.network, place)
            middle, end = start + weight.numel(), start + weight.numel() + bias.numel()
            changes[place] = (theta[start:middle].reshape(weight.shape), theta[middle:end])
            start = end
        return replaced(self.network, changes)

    def _reweigh(self, theta: Tensor, power: float) -> None:
        error = (self._network(theta)(self.x) - self.y).abs() * self.unit
        self.scale = float(error.max().clamp(min=1e-300))
        raised = (error / self.scale).clamp(min=FLOOR) ** (power - 2.0)
        self.weights = (raised / raised.mean()).sqrt()

    def _factor(self) -> Tensor:
        return self.weights * self.unit / self.scale

    def _residual(self, theta: Tensor) -> Tensor:
        if not bool(torch.isfinite(theta).all()):
            return torch.full_like(self.y, torch.inf).reshape(1, -1)
        return (self._factor() * (self._network(theta[0])(self.x) - self.y)).reshape(1, -1)

    def _linearise(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        network = self._network(theta[0])
        at, slopes = adjoints(network, self.x)
        columns = []
        for place in self.places:
            h = at[network.nodes[place].sources[0]]
            a = slopes[place].transpose(0, 1)  # [N, m, width]
            columns.append((a[:, :, :, None] * h[:, None, None, :]).flatten(2))
            columns.append(a)
        jacobian = torch.cat(columns, dim=2) * self._factor()[:, :, None]
        residual = (self._factor() * (at[-1] - self.y)).reshape(1, -1)
        return residual, jacobian.reshape(1, residual.shape[1], -1)


def _held(network: Network, place: int) -> tuple[Tensor, Tensor]:
    node = network.nodes[place]
    assert isinstance(node, Affine)
    return node.weight, node.bias
