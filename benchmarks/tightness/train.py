"""Tanh networks fitted to a smooth field with a steep front, and the points they are judged on."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

STEEPNESS = 15.0
POINTS, CHECKS = 4096, 8192
Target = Callable[[Tensor], Tensor]


def field(x: Tensor) -> Tensor:
    """sin(2 x_0 + 1) cos(3 x_1) + the other coordinates' waves + 0.5 tanh(15 s), s a skew plane; x [N, d] -> [N, 1]."""
    d = x.shape[1]
    smooth = torch.sin(2.0 * x[:, 0] + 1.0) * torch.cos(3.0 * x[:, 1])
    for i in range(2, d):
        smooth = smooth + 0.5 * torch.sin(2.0 * x[:, i] + x[:, 0])
    normal = torch.tensor([1.0, 0.6, -0.5, 0.4][:d], dtype=x.dtype)
    return (smooth + 0.5 * torch.tanh(STEEPNESS * (x @ (normal / normal.norm()) - 0.1)))[:, None]


def plain(sizes: list[int], seed: int) -> torch.nn.Sequential:
    """Linear and Tanh layers in float64, Xavier's start."""
    torch.manual_seed(seed)
    layers: list[torch.nn.Module] = []
    for i, (n, m) in enumerate(pairwise(sizes)):
        linear = torch.nn.Linear(n, m, dtype=torch.float64)
        torch.nn.init.xavier_normal_(linear.weight, gain=5.0 / 3.0 if i < len(sizes) - 2 else 1.0)
        torch.nn.init.uniform_(linear.bias, -0.5, 0.5)
        layers += [linear, torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])


def uniform(n: int, d: int, seed: int) -> Tensor:
    """n points of [-1, 1]^d; every fourth has a coordinate on a face."""
    draw = np.random.default_rng(seed)
    x = draw.uniform(-1.0, 1.0, (n, d))
    rows = np.arange(0, n, 4)
    x[rows, draw.integers(0, d, len(rows))] = draw.choice([-1.0, 1.0], len(rows))
    return torch.from_numpy(x)


def fit(
    net: torch.nn.Module, target: Target, d: int, seconds: float, goal: float, seed: int, *, warm: bool = False
) -> float:
    """Adam, then L-BFGS on fixed points until the relative error on others is `goal`; returns that error.

    Relative: rms of the error over rms of the target. warm: without Adam.
    """
    began = time.monotonic()
    x, check = uniform(POINTS, d, seed), uniform(CHECKS, d, seed + 1)
    y, wanted = target(x).detach(), target(check).detach()
    if not warm:
        _adam(net, x, y, 0.15 * seconds)
    solver = torch.optim.LBFGS(net.parameters(), history_size=100, max_iter=20, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()
        return loss

    while True:
        solver.step(closure)
        with torch.no_grad():
            error = float((net(check) - wanted).norm() / wanted.norm())
        if error <= goal or time.monotonic() - began > seconds:
            return error


def _adam(net: torch.nn.Module, x: Tensor, y: Tensor, seconds: float) -> None:
    began, solver = time.monotonic(), torch.optim.Adam(net.parameters(), lr=2e-3)
    while time.monotonic() - began < seconds:
        for some in torch.randperm(len(x)).split(512):
            solver.zero_grad()
            ((net(x[some]) - y[some]) ** 2).mean().backward()
            solver.step()
