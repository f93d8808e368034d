"""Small operators on random inputs, and branches for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from edgepde.modno import branches
from edgepde.modno.branches._branch import Branch
from edgepde.modno.training.settings import Fit
from edgepde.modno.training.task import Part, Task

INPUTS, CASES, HELD, COLUMNS = 3, 12, 6, 7


def inputs(count: int, seed: int) -> Tensor:
    return torch.randn(count, INPUTS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def part(name: str, count: int, seed: int, size: float) -> Part:
    """Columns sin(k s), s a direction of the inputs that depends on the name."""
    x = inputs(count, seed)
    direction = inputs(1, sum(name.encode()))[0]
    k = torch.arange(1, COLUMNS + 1, dtype=torch.float64)
    targets = size * torch.sin((x @ direction)[:, None] * k / 3 + k)
    return Part(x, targets, targets.norm(dim=1))


def task(name: str, size: float = 1.0) -> Task:
    points = torch.linspace(0.0, 1.0, COLUMNS, dtype=torch.float64)[:, None]
    return Task(name, part(name, CASES, 1, size), part(name, HELD, 2, size), points)


def tasks(names: Sequence[str] = ("a", "b", "c")) -> list[Task]:
    return [task(name) for name in names]


DESCRIPTIONS: dict[str, dict[str, Any]] = {
    "mlp": {"kind": "mlp", "inputs": INPUTS, "features": 4, "widths": [5], "activation": "tanh"},
    "gaussian": {"kind": "gaussian", "inputs": INPUTS, "features": 4, "units": 6},
}
DESCRIPTIONS["grouped"] = {"kind": "grouped", "parts": [DESCRIPTIONS["mlp"], DESCRIPTIONS["gaussian"]]}


def branch(kind: str = "mlp", seed: int = 0) -> Branch:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return branches.build(DESCRIPTIONS[kind]).double()


HOWS = {
    "alternating": Fit(scheme="alternating", trunk="network", steps=8, check=2, q=0.5, width=4, depth=1, batch=5),
    "alternating-spectral": Fit(scheme="alternating", steps=8, check=2, schedule="plateau", gain=0.5, patience=2),
    "joint": Fit(scheme="joint", trunk="network", steps=8, check=2, width=4, depth=1),
    "joint-log": Fit(scheme="joint", steps=8, check=2, balance="log", batch=5, decay=0.1),
    "varpro": Fit(scheme="varpro", steps=8, check=2, ridge=1e-3),
    "varpro-loo": Fit(scheme="varpro", steps=8, check=2, objective="loo"),
}
