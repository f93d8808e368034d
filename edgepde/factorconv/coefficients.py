"""Regression of coefficients on few parameters by layers of sines whose last, linear layer is always solved for.

Layers h = sin(W ..) with weights theta; for rows A = w [h 1] and targets w Y, w one weight per case,

    C(theta) = (A^T A / N + ridge I)^-1 A^T w Y / N,   residual_i = (A C - w Y)_i / (1 - leverage_i)

theta is found by L-BFGS on the mean square of the leave-one-out residuals. Source: variable projection, Golub and
Pereyra 1973; leave-one-out by leverages, Allen 1974 (PRESS).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor

from edgepde.errors import TrainingError
from edgepde.train.progress import progress

Layers = list[tuple[Tensor, Tensor]]
HISTORY, ROUNDS = 60, 10


@dataclass(frozen=True)
class Regression:
    """iterations: of L-BFGS. ridge: on the linear layer. decay: on squares of theta. spread: of the first weights."""

    iterations: int = 400
    ridge: float = 1e-7
    decay: float = 1e-6
    spread: float = 1.0


def features(layers: Layers, x: Tensor) -> Tensor:
    """[h 1] of inputs x [N, P]: [N, H + 1]."""
    for weight, bias in layers:
        x = torch.sin(x @ weight.T + bias)
    return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)


def solved(rows: Tensor, wanted: Tensor, weight: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """C [H + 1, K] of rows [N, H + 1], targets [N, K] and weights [N]; the leverage of each case [N]."""
    a = rows * weight[:, None]
    normal = a.T @ a / len(a) + ridge * torch.eye(a.shape[1], dtype=a.dtype)
    pulled = torch.linalg.solve(normal, a.T / len(a))
    return pulled @ (wanted * weight[:, None]), (a * pulled.T).sum(1)


def fit_layers(
    x: Tensor, wanted: Tensor, weight: Tensor, hidden: Sequence[int], how: Regression, seed: int
) -> tuple[Layers, float]:
    """Layers for inputs x [N, P] in [-1, 1] and targets [N, K], all float64; the root of the leave-one-out loss.

    Raises TrainingError where the loss is not finite.
    """
    layers = _start(x.shape[1], hidden, how.spread, seed)
    held = [t.requires_grad_() for layer in layers for t in layer]
    optimizer = torch.optim.LBFGS(
        held,
        max_iter=max(1, how.iterations // ROUNDS),
        history_size=HISTORY,
        line_search_fn="strong_wolfe",
        tolerance_grad=0.0,
        tolerance_change=0.0,
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = _left_out(layers, x, wanted, weight, how.ridge)
        (value + how.decay * cast(Tensor, sum(t.square().sum() for t in held))).backward()
        return value

    found = math.inf
    with progress(f"decoder {'-'.join(map(str, hidden))}", ROUNDS) as bar:
        for turn in range(ROUNDS):
            optimizer.step(cast(Any, loss))
            with torch.no_grad():
                found = math.sqrt(float(_left_out(layers, x, wanted, weight, how.ridge)))
            if not math.isfinite(found):
                raise TrainingError(f"decoder {tuple(hidden)}: the leave-one-out error is {found}")
            bar.update(turn + 1)
            bar.note(f"leave-one-out error {found:.4f}")
    return [(w.detach(), b.detach()) for w, b in layers], found


def _left_out(layers: Layers, x: Tensor, wanted: Tensor, weight: Tensor, ridge: float) -> Tensor:
    rows = features(layers, x)
    c, leverage = solved(rows, wanted, weight, ridge)
    error = (rows @ c - wanted) * weight[:, None] / (1.0 - leverage).clamp(min=1e-3)[:, None]
    return error.square().sum(1).mean()


def _start(inputs: int, hidden: Sequence[int], spread: float, seed: int) -> Layers:
    """Weights of variance spread^2 / n, biases of variance 1."""
    draw = torch.Generator().manual_seed(seed)
    made = []
    for n, m in pairwise([inputs, *hidden]):
        weight = torch.randn(m, n, generator=draw, dtype=torch.float64) * (spread / math.sqrt(n))
        made.append((weight, torch.randn(m, generator=draw, dtype=torch.float64)))
    return made
