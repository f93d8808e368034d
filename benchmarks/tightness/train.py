"""Tanh networks fitted to a smooth field with a steep front, and the points they are judged on.

The fit is Gauss-Newton in the space of a batch of M points, with momentum: J [M, n] the slopes of the outputs, r what
is missing, p the last step, and with (J J^T + lambda I) s = r - momentum J p

    step = momentum p + J^T s

J J^T is a sum over layers of products of Gram matrices, so that J is never formed. Source: Goldshlager, Abrahamsen and
Lin 2024, arXiv:2401.10190 (SPRING).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

STEEPNESS = 15.0
CHECKS, CHECKED_EVERY = 8192, 5
BATCHES = {2: 1024, 3: 1536}
MOMENTUM, LEAST_DAMPING, HALVINGS = 0.9, 1e-9, 8
Target = Callable[[Tensor], Tensor]
Array = NDArray[np.float64]
Layers = list[tuple[Array, Array]]
Weights = list[tuple[Tensor, Tensor]]


def field(x: Tensor) -> Tensor:
    """sin(2 x_0 + 1) cos(3 x_1) + the other coordinates' waves + 0.5 tanh(15 s), s a skew plane; x [N, d] -> [N, 1]."""
    d = x.shape[1]
    smooth = torch.sin(2.0 * x[:, 0] + 1.0) * torch.cos(3.0 * x[:, 1])
    for i in range(2, d):
        smooth = smooth + 0.5 * torch.sin(2.0 * x[:, i] + x[:, 0])
    normal = torch.tensor([1.0, 0.6, -0.5, 0.4][:d], dtype=x.dtype)
    return (smooth + 0.5 * torch.tanh(STEEPNESS * (x @ (normal / normal.norm()) - 0.1)))[:, None]


def plain(sizes: list[int], seed: int) -> Layers:
    """Weights and biases of a tanh network, Xavier's start."""
    torch.manual_seed(seed)
    made = []
    for i, (n, m) in enumerate(pairwise(sizes)):
        linear = torch.nn.Linear(n, m, dtype=torch.float64)
        torch.nn.init.xavier_normal_(linear.weight, gain=5.0 / 3.0 if i < len(sizes) - 2 else 1.0)
        torch.nn.init.uniform_(linear.bias, -0.5, 0.5)
        made.append((linear.weight.detach().numpy(), linear.bias.detach().numpy()))
    return made


def uniform(n: int, d: int, seed: int) -> Tensor:
    """n points of [-1, 1]^d; every fourth has a coordinate on a face."""
    draw = np.random.default_rng(seed)
    x = draw.uniform(-1.0, 1.0, (n, d))
    rows = np.arange(0, n, 4)
    x[rows, draw.integers(0, d, len(rows))] = draw.choice([-1.0, 1.0], len(rows))
    return torch.from_numpy(x)


def fit(
    start: Layers, target: Target, d: int, seconds: float, goal: float, seed: int, damping: float = 1e-2
) -> tuple[Layers, float]:
    """Fresh points every step until the relative error on others is `goal`; the network then and that error.

    Relative: rms of the error over rms of the target. The best network seen is returned where the time is over first.
    """
    began = time.monotonic()
    with torch.no_grad():
        net = [(torch.from_numpy(w.copy()), torch.from_numpy(b.copy())) for w, b in start]
        check = uniform(CHECKS, d, seed + 1)
        wanted = target(check)
        solver = _Solver(net, damping)
        best, least = net, _error(net, check, wanted)
        for step in range(10**9):
            over = time.monotonic() - began > seconds
            if step % CHECKED_EVERY == 0 or over:
                error = _error(solver.net, check, wanted)
                best, least = (solver.net, error) if error < least else (best, least)
            if least <= goal or over:
                break
            x = uniform(BATCHES.get(d, 1024), d, 1000 * seed + 10 + step)
            solver.step(x, target(x))
    return [(w.numpy(), b.numpy()) for w, b in best], least


class _Solver:
    """The network, the last step and the damping relative to the mean of J J^T's diagonal."""

    def __init__(self, net: Weights, damping: float) -> None:
        self.net, self.damping = net, damping
        self.last = [(0.0 * w, 0.0 * b) for w, b in net]

    def step(self, x: Tensor, y: Tensor) -> None:
        """One step, halved until the error falls."""
        h = _forward(self.net, x)
        slopes = _slopes(self.net, h)
        r, h = y - h[-1], h[:-1]
        kernel = torch.stack([(a @ a.T + 1.0) * (s @ s.T) for a, s in zip(h, slopes, strict=True)]).sum(dim=0)
        kernel.diagonal().add_(self.damping * float(kernel.diagonal().mean()))
        rows = zip(h, slopes, self.last, strict=True)
        along = torch.stack([((a @ w.T + b) * s).sum(dim=1, keepdim=True) for a, s, (w, b) in rows]).sum(dim=0)
        factor, failed = torch.linalg.cholesky_ex(kernel)
        if bool(failed):
            self.damping *= 4.0
            return
        share = torch.cholesky_solve(r - MOMENTUM * along, factor)
        pulled = [((s * share).T @ a, (s * share).sum(dim=0)) for a, s in zip(h, slopes, strict=True)]
        step = [(MOMENTUM * p + w, MOMENTUM * q + b) for (p, q), (w, b) in zip(self.last, pulled, strict=True)]
        self._walk(step, x, y, float((r * r).mean()))

    def _walk(self, step: Weights, x: Tensor, y: Tensor, before: float) -> None:
        share = 1.0
        for _ in range(HALVINGS):
            tried = [(w + share * p, b + share * q) for (w, b), (p, q) in zip(self.net, step, strict=True)]
            if float(((y - _forward(tried, x)[-1]) ** 2).mean()) < before:
                self.net = tried
                break
            share /= 2.0
        self.last = [(share * p, share * q) for p, q in step]
        change = 0.8 if share == 1.0 else 1.5 if share < 0.3 else 1.0
        self.damping = max(LEAST_DAMPING, change * self.damping)


def _forward(net: Weights, x: Tensor) -> list[Tensor]:
    """The vectors of every layer, the input first."""
    h = [x]
    for place, (w, b) in enumerate(net):
        z = h[-1] @ w.T + b
        h.append(torch.tanh(z) if place < len(net) - 1 else z)
    return h


def _slopes(net: Weights, h: list[Tensor]) -> list[Tensor]:
    """The slope of the one output by every layer's pre-activations."""
    made = [torch.ones_like(h[-1])]
    for place in range(len(net) - 1, 0, -1):
        made.insert(0, (made[0] @ net[place][0]) * (1.0 - h[place] ** 2))
    return made


def _error(net: Weights, x: Tensor, wanted: Tensor) -> float:
    return float((_forward(net, x)[-1] - wanted).norm() / wanted.norm())
