"""What does a training step on a fourth-order residual cost by kernels, by nested autograd and by Taylor-mode jets?

MLP 2-64-64-64-64-1, biharmonic at 64 x 64 points, Adam, float32, one thread. Times are medians of steps taken in turn;
memory is the peak of a process of its own above what it held with the model made and small steps behind it. Errors are
against nested autograd in float64, for networks fitted to the field of the accuracy part: kernels are not exact.
"""

from __future__ import annotations

import copy
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from _harness import OURS, Row, say

from edgepde.mollifier.hosts._host import Host
from mollifier_parts import _steps

POINTS, QUICK_POINTS = 64, 24
ROUNDS, QUICK_ROUNDS = 9, 2
STEPS, QUICK_STEPS = 3, 1
FITTING, QUICK_FITTING = 400, 20
TIME = {"nested autograd": 40.0, "Taylor-mode jets": 20.0}
MEMORY = {"nested autograd": 40.0, "Taylor-mode jets": 15.0}
CASE = "biharmonic residual, MLP 4 x 64"


def rows(quick: bool, seed: int = 0) -> list[Row]:
    """Time, memory, their ratios to ours, and the error of every way."""
    points = QUICK_POINTS if quick else POINTS
    case = f"{CASE}, {points} x {points}"
    say(f"step: {case}")
    times = _times(points, QUICK_ROUNDS if quick else ROUNDS, seed)
    memory = {name: _memory(name, points, QUICK_STEPS if quick else STEPS, seed) for name in _steps.WAYS}
    made = [_timing(f"{case}: step", name, found) for name, found in times.items()]
    for name, goal in TIME.items():
        ratio = statistics.median(times[name]) / statistics.median(times[OURS])
        made.append(Row(f"{case}: time against {name}", OURS, "x", ratio, None if quick else goal, ">="))
    made += [Row(f"{case}: peak memory above the model", name, "MB", held / 1e6) for name, held in memory.items()]
    for name, goal in MEMORY.items():
        ratio = memory[name] / memory[OURS]
        made.append(Row(f"{case}: memory against {name}", OURS, "x", ratio, None if quick else goal, ">="))
    return made + _errors(points, QUICK_FITTING if quick else FITTING, seed)


def _timing(case: str, name: str, seconds: list[float]) -> Row:
    cuts = statistics.quantiles(seconds, n=4)
    spread = (1e3 * cuts[0], 1e3 * cuts[2])
    note = "exact, another host" if name == _steps.Separable.name else ""
    return Row(case, name, "ms", 1e3 * statistics.median(seconds), spread=spread, note=note)


def _times(points: int, rounds: int, seed: int) -> dict[str, list[float]]:
    """Seconds of steps taken in turn, one way after the other; the first of each does not count."""
    made = {}
    for name, kind in _steps.WAYS.items():
        net = _steps.model(kind, seed)
        made[name] = (kind(_steps.grid(points)), net, torch.optim.Adam(net.parameters(), _steps.RATE))
    found: dict[str, list[float]] = {name: [] for name in made}
    for turn in range(rounds + 1):
        for name, (way, net, optimizer) in made.items():
            seconds = _steps.step(way, net, optimizer)
            if turn:
                found[name].append(seconds)
    return found


def _memory(name: str, points: int, steps: int, seed: int) -> float:
    """Bytes, from a process that does nothing else."""
    here = Path(_steps.__file__)
    found = subprocess.run(
        [sys.executable, str(here), name, str(points), str(steps), str(seed)],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here.parents[1]), *sys.path])},
    )  # fmt: skip
    return float(json.loads(found.stdout.splitlines()[-1])["bytes"])


def _errors(points: int, steps: int, seed: int) -> list[Row]:
    """Relative L2 errors of the biharmonic, inside and over the whole square, of networks fitted to a smooth field."""
    made = []
    for kind in ("mlp", "separable"):
        net = fitted(_steps.WAYS[OURS] if kind == "mlp" else _steps.Separable, points, steps, seed)
        exact = _steps.Nested(_steps.grid(points), torch.float64).biharmonic(net).detach()
        for name, way in _steps.WAYS.items():
            if way.host != kind:
                continue
            for dtype in (torch.float32, torch.float64):
                value = way(_steps.grid(points), dtype).biharmonic(copy.deepcopy(net).to(dtype)).detach().double()
                label = str(dtype).removeprefix("torch.")
                made += _error(f"error of the biharmonic of a fitted {kind}, {label}", name, value, exact)
    return made


def _error(case: str, name: str, value: torch.Tensor, exact: torch.Tensor) -> list[Row]:
    edge = max(2, len(exact) // 8)
    inner = (slice(edge, -edge),) * 2
    return [
        Row(f"{case}, {where}", name, "relative", float((value - exact)[at].norm() / exact[at].norm()))
        for where, at in (("inside", inner), ("whole square", (slice(None),) * 2))
    ]


def fitted(kind: type[_steps.Way], points: int, steps: int, seed: int) -> Host:
    """A network fitted in float64 to two products of sines (2 pi, 3 pi, 1.3 pi, 4 pi)."""
    net = _steps.model(kind, seed, torch.float64)
    edge = torch.from_numpy(np.linspace(0.0, 1.0, points))
    wanted = field(edge[:, None], edge)
    optimizer = torch.optim.LBFGS(
        net.parameters(), max_iter=steps, history_size=50, tolerance_grad=0.0, tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = (net.on_grid((edge, edge)) - wanted).square().mean()
        loss.backward()
        return float(loss.detach())

    optimizer.step(closure)
    return net


def field(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """sin(2 pi x) sin(3 pi y) + sin(1.3 pi x) sin(4 pi y)."""
    pi = torch.pi
    return torch.sin(2 * pi * x) * torch.sin(3 * pi * y) + torch.sin(1.3 * pi * x) * torch.sin(4 * pi * y)
