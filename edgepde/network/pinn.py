"""A plain tanh network u(x, t) trained on the residual of viscous Burgers and on its initial and boundary data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from edgepde.certify.network import Network, mlp

Layers = list[tuple[Tensor, Tensor]]
CANDIDATES = 8


@dataclass(frozen=True)
class Training:
    """points: of the residual; edge: of initial and boundary data. weight: of the data's squared error.

    rounds of `steps` quasi-Newton steps each on points of their own; history: of L-BFGS.
    """

    points: int = 3000
    edge: int = 400
    weight: float = 20.0
    rounds: int = 12
    steps: int = 100
    history: int = 60


def start(width: int, depth: int, seed: int, device: torch.device) -> Layers:
    """Layers [2, width x depth, 1] in float64, Xavier's normal start, zero biases."""
    draw = torch.Generator().manual_seed(seed)
    sizes = [2, *[width] * depth, 1]
    made = []
    for n, m in pairwise(sizes):
        weight = torch.randn(m, n, generator=draw, dtype=torch.float64) * math.sqrt(2.0 / (n + m))
        made.append(
            (weight.to(device).requires_grad_(), torch.zeros(m, dtype=torch.float64, device=device).requires_grad_())
        )
    return made


def stored(layers: Layers) -> dict[str, Tensor]:
    """The layers as named tensors."""
    return {
        f"{label}{i}": t for i, layer in enumerate(layers) for label, t in zip(("weight", "bias"), layer, strict=True)
    }


def loaded(tensors: Mapping[str, Tensor], device: torch.device) -> Layers:
    """The layers of named tensors."""
    held = {name: t.to(device).requires_grad_() for name, t in tensors.items()}
    return [(held[f"weight{i}"], held[f"bias{i}"]) for i in range(len(held) // 2)]


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
    layers: Layers, nu: float, how: Training, seed: int, done: Callable[[int, float], bool], first: int = 0
) -> None:
    """Rounds of L-BFGS, each on points redrawn where the residual is large; done(round, loss) says when to stop."""
    for number in range(first, how.rounds):
        loss = _round(layers, nu, how, _points(layers, nu, how, np.random.default_rng([seed, number])))
        with torch.no_grad():
            if done(number + 1, loss):
                return


def _round(layers: Layers, nu: float, how: Training, points: tuple[Tensor, Tensor, Tensor]) -> float:
    """steps of L-BFGS on points of the residual, points of the edges and the values there; the loss before them."""
    x, edge, wanted = points
    solver = torch.optim.LBFGS(
        [t for layer in layers for t in layer],
        max_iter=how.steps,
        history_size=how.history,
        line_search_fn="strong_wolfe",
        tolerance_grad=0.0,
        tolerance_change=0.0,
    )

    def closure() -> Tensor:
        solver.zero_grad()
        loss = (residual(layers, x, nu) ** 2).mean() + how.weight * ((field(layers, edge) - wanted) ** 2).mean()
        loss.backward()
        return loss

    return float(solver.step(closure).detach())


def _points(layers: Layers, nu: float, how: Training, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Points drawn with probability 1 + |r| / mean, points on the edges, and what u is there."""
    device = layers[0][0].device
    draw = rng.random((CANDIDATES * how.points, 2))
    many = torch.from_numpy(np.stack([2.0 * draw[:, 0] - 1.0, draw[:, 1]], axis=1)).to(device)
    with torch.no_grad():
        size = residual(layers, many, nu).abs().cpu().numpy()
    chance = 1.0 + size / size.mean()
    rows = rng.choice(len(many), how.points, replace=False, p=chance / chance.sum())
    half = how.edge // 2
    x, t = 2.0 * rng.random(half) - 1.0, rng.random(how.edge - half)
    side = np.where(np.arange(len(t)) % 2, 1.0, -1.0)
    edge = np.concatenate([np.stack([x, 0.0 * x], axis=1), np.stack([side, t], axis=1)])
    wanted = np.concatenate([-np.sin(np.pi * x), 0.0 * t])
    return many[rows], torch.from_numpy(edge).to(device), torch.from_numpy(wanted).to(device)
