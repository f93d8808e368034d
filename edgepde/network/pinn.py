"""A plain tanh network u(x, t) trained on the residual of viscous Burgers and on its initial and boundary data.

Gauss-Newton in the space of a batch's rows r, with momentum: J their slopes, p the last step, and with
(J J^T + lambda I) s = r - momentum J p

    step = momentum p + J^T s

Some tens of steps do what thousands of L-BFGS do, whatever the width. Source: arXiv:2401.10190 (SPRING), for PINNs
arXiv:2505.12149.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from edgepde.certify.network import Network, mlp
from edgepde.network.pinn_rows import rows

Layers = list[tuple[Tensor, Tensor]]
CANDIDATES = 4
MOMENTUM, FIRST_DAMPING, LEAST_DAMPING, HALVINGS = 0.9, 1e-2, 1e-10, 8


@dataclass(frozen=True)
class Training:
    """points: of the residual; edge: of initial and boundary data. weight: of the data's squared error.

    rounds of `steps` steps each, every step on points of its own.
    """

    points: int = 800
    edge: int = 200
    weight: float = 20.0
    rounds: int = 60
    steps: int = 10


@dataclass
class State:
    """Where a training is: the layers, the last step, the damping relative to the mean of J J^T's diagonal."""

    layers: Layers
    last: Layers
    damping: float = FIRST_DAMPING

    def tensors(self) -> dict[str, Tensor]:
        """The layers and the last step as named tensors."""
        return {
            f"{label}{i}": t
            for labels, held in ((("weight", "bias"), self.layers), (("last_weight", "last_bias"), self.last))
            for i, layer in enumerate(held)
            for label, t in zip(labels, layer, strict=True)
        }

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], damping: float, device: torch.device) -> State:
        """The state of named tensors."""
        held = {name: t.to(device) for name, t in tensors.items()}
        count = len(held) // 4
        layers, last = ([(held[f"{p}weight{i}"], held[f"{p}bias{i}"]) for i in range(count)] for p in ("", "last_"))
        return cls(layers, last, damping)


def start(width: int, depth: int, seed: int, device: torch.device) -> State:
    """Layers [2, width x depth, 1] in float64, Xavier's normal start, zero biases."""
    draw = torch.Generator().manual_seed(seed)
    sizes = [2, *[width] * depth, 1]
    made = []
    for n, m in pairwise(sizes):
        weight = torch.randn(m, n, generator=draw, dtype=torch.float64) * math.sqrt(2.0 / (n + m))
        made.append((weight.to(device), torch.zeros(m, dtype=torch.float64, device=device)))
    return State(made, [(torch.zeros_like(w), torch.zeros_like(b)) for w, b in made])


def network(layers: Layers) -> Network:
    """The layers as a network."""
    weights, biases = ([t.detach().cpu() for t in side] for side in zip(*layers, strict=True))
    return mlp([w.numpy() for w in weights], [b.numpy() for b in biases], ["tanh"] * (len(layers) - 1))


def field(layers: Layers, x: Tensor) -> Tensor:
    """u [N] at points x [N, 2]."""
    h = x
    for weight, bias in layers[:-1]:
        h = torch.tanh(h @ weight.T + bias)
    return (h @ layers[-1][0].T + layers[-1][1])[:, 0]


def residual(layers: Layers, x: Tensor, nu: float) -> Tensor:
    """u_t + u u_x - nu u_xx [N] at points x [N, 2]; derivatives carried forwards, four channels at once."""
    n, (weight, bias) = len(x), layers[0]
    ones = torch.ones(n, 1, dtype=x.dtype, device=x.device)
    value, slope_x, slope_t = x @ weight.T + bias, ones * weight[:, 0], ones * weight[:, 1]
    bend = torch.zeros_like(value)
    for weight, bias in layers[1:]:
        a = torch.tanh(value)
        first = 1.0 - a * a
        second = -2.0 * a * first
        channels = torch.cat([a, first * slope_x, first * slope_t, first * bend + second * slope_x * slope_x])
        value, slope_x, slope_t, bend = (channels @ weight.T).split(n)
        value = value + bias
    return (slope_t + value * slope_x - nu * bend)[:, 0]


def train_pinn(
    state: State, nu: float, how: Training, seed: int, done: Callable[[int, float], bool], first: int = 0
) -> None:
    """Rounds of steps, each on points drawn where the residual is large; done(round, loss) says when to stop."""
    with torch.no_grad():
        for number in range(first, how.rounds):
            loss = math.inf
            for place in range(how.steps):
                loss = _step(
                    state, nu, how, _points(state.layers, nu, how, np.random.default_rng([seed, number, place]))
                )
            if done(number + 1, loss):
                return


def _step(state: State, nu: float, how: Training, points: tuple[Tensor, Tensor, Tensor]) -> float:
    """One step on points of the residual, points of the edges and the values there; the loss before it."""
    at = rows(state.layers, *points, nu, how.weight)
    loss = float(at.value @ at.value)
    kernel = at.kernel()
    kernel.diagonal().add_(state.damping * kernel.diagonal().mean())
    factor, failed = torch.linalg.cholesky_ex(kernel)
    if bool(failed):
        state.damping *= 4.0
        return loss
    wanted = at.value - MOMENTUM * at.along(state.last)
    pulled = at.pulled(torch.cholesky_solve(wanted[:, None], factor)[:, 0])
    step = [(MOMENTUM * p + w, MOMENTUM * q + b) for (p, q), (w, b) in zip(state.last, pulled, strict=True)]
    _walk(state, step, loss, lambda layers: _loss(layers, nu, how, points))
    return loss


def _walk(state: State, step: Layers, before: float, loss: Callable[[Layers], float]) -> None:
    """Take the step, halved until the loss falls; where it never does, forget the momentum."""
    share = 1.0
    for _ in range(HALVINGS):
        tried = [(w - share * p, b - share * q) for (w, b), (p, q) in zip(state.layers, step, strict=True)]
        if loss(tried) < before:
            state.layers = tried
            break
        share /= 2.0
    else:
        share = 0.0
    state.last = [(share * p, share * q) for p, q in step]
    change = 0.8 if share == 1.0 else 1.5 if share < 0.3 else 1.0
    state.damping = max(LEAST_DAMPING, change * state.damping)


def _loss(layers: Layers, nu: float, how: Training, points: tuple[Tensor, Tensor, Tensor]) -> float:
    x, edge, wanted = points
    error = ((field(layers, edge) - wanted) ** 2).mean()
    return float((residual(layers, x, nu) ** 2).mean() + how.weight * error)


def _points(layers: Layers, nu: float, how: Training, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Points drawn with probability 1 + |r| / mean, points on the edges, and what u is there."""
    device = layers[0][0].device
    draw = rng.random((CANDIDATES * how.points, 2))
    many = torch.from_numpy(np.stack([2.0 * draw[:, 0] - 1.0, draw[:, 1]], axis=1)).to(device)
    size = residual(layers, many, nu).abs().cpu().numpy()
    chance = 1.0 + size / size.mean()
    rows = rng.choice(len(many), how.points, replace=False, p=chance / chance.sum())
    half = how.edge // 2
    x, t = 2.0 * rng.random(half) - 1.0, rng.random(how.edge - half)
    side = np.where(np.arange(len(t)) % 2, 1.0, -1.0)
    edge = np.concatenate([np.stack([x, 0.0 * x], axis=1), np.stack([side, t], axis=1)])
    wanted = np.concatenate([-np.sin(np.pi * x), 0.0 * t])
    return many[rows], torch.from_numpy(edge).to(device), torch.from_numpy(wanted).to(device)
