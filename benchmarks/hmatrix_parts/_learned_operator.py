"""A step of heat conduction in time, learned from pairs: (1 + L)^-1, L the diffusion over one step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from _harness import OURS, Row, say
from numpy.typing import NDArray
from torch import Tensor, nn

from edgepde.hmatrix.adapt import Adaptivity
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.layer import HLinear

from ._training import How, low_rank, row, train

Array = NDArray[np.float64]
SAMPLES, TESTS, RATE = 1.5, 400, 1e-2


@dataclass(frozen=True)
class Case:
    """An operator, where its nodes are, and the blocks that learn it: ranks to start with and to stay at."""

    name: str
    operator: Array
    points: Any
    config: HConfig
    ranks: tuple[int, int]


def rows(quick: bool, seed: int) -> list[Row]:
    """Relative error on new right-hand sides, at the storage of the blocks."""
    n, side, steps = (64, 8, 120) if quick else (256, 16, 400)
    cases = (
        Case(f"heat step in a layered rod, n = {n}", rod(n, seed), None, HConfig(leaf=n // 16), (1, 2)),
        Case(f"heat step in a plate, n = {side**2}", plate(side), _grid(side), HConfig(leaf=side), (2, 4)),
    )
    return [
        found for case in cases for found in _compared(case, steps, [seed] if quick else [seed, seed + 1, seed + 2])
    ]


def rod(n: int, seed: int, reach: float = 0.03) -> Array:
    """-(k u')' with a conductivity that varies by lognormal layers; reach^2: mean k times the time step."""
    k = np.exp(0.5 * np.random.default_rng(seed).normal(size=n + 1))
    stiff = np.diag(k[:-1] + k[1:]) - np.diag(k[1:-1], 1) - np.diag(k[1:-1], -1)
    return np.asarray(np.linalg.inv(np.eye(n) + (reach * (n + 1)) ** 2 * stiff))


def plate(side: int, reach: float = 0.1) -> Array:
    """The same on a square grid, constant conductivity."""
    line = 2 * np.eye(side) - np.eye(side, k=1) - np.eye(side, k=-1)
    stiff = np.kron(line, np.eye(side)) + np.kron(np.eye(side), line)
    return np.asarray(np.linalg.inv(np.eye(side**2) + (reach * (side + 1)) ** 2 * stiff))


def _grid(side: int) -> Array:
    return np.stack(np.meshgrid(*[np.arange(side) / side] * 2, indexing="ij"), axis=-1).reshape(-1, 2)


def _compared(case: Case, steps: int, seeds: list[int]) -> list[Row]:
    n = len(case.operator)
    start, stay = case.ranks

    def blocks(rank: int) -> HLinear:
        return HLinear(n, n, case.config, rank=rank, points=case.points, bias=False)

    most = blocks(stay).numbers
    growing = How(steps, RATE, adaptivity=Adaptivity(0.1, step=1, leaf=case.config.leaf, numbers=most))
    plain = How(steps, RATE)
    entries: list[tuple[str, Callable[[], nn.Module], How]] = [
        (OURS, lambda: blocks(start), growing),
        (f"blocks of fixed rank {stay}", lambda: blocks(stay), plain),
        ("low rank", lambda: low_rank(n, n, most, bias=False), plain),
        ("dense, all numbers", lambda: nn.Linear(n, n, bias=False), plain),
    ]
    made = []
    for name, build, how in entries:
        say(f"training: {case.name}: {name}")
        errors, share = [], 0.0
        for seed in seeds:
            error, share = _trained(case, build, how, seed)
            errors.append(error)
        made.append(row(case.name, name, errors, f"relative error on new data at {share:.3g} of dense"))
    singular = np.linalg.svd(case.operator, compute_uv=False)
    left = float(np.sqrt((singular[most // (2 * n) :] ** 2).sum() / (singular**2).sum()))
    note = f"relative Frobenius error of the operator itself at rank {most // (2 * n)}"
    return [*made, Row(case.name, "best low rank there is", "", left, note=note)]


def _trained(case: Case, build: Callable[[], nn.Module], how: How, seed: int) -> tuple[float, float]:
    """(relative error on new right-hand sides, numbers of dense's)."""
    torch.manual_seed(seed)
    operator = torch.tensor(case.operator, dtype=torch.float32)
    given = torch.randn(round(SAMPLES * len(operator)), len(operator))
    wanted = given @ operator.T

    def loss(net: nn.Module, _: int) -> Tensor:
        return (net(given) - wanted).square().mean()

    net = train(build(), loss, how)
    fresh = torch.randn(TESTS, len(operator))
    exact = fresh @ operator.T
    with torch.no_grad():
        error = torch.linalg.norm(net(fresh) - exact) / torch.linalg.norm(exact)
    return float(error), sum(p.numel() for p in net.parameters()) / operator.numel()
