"""From data of operators to a shared branch and a cassette for each, by the scheme that is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from edgepde.train.ranks import Ranks
from edgepde.train.run_folder import Run

from . import branches, distributed, linear_part
from .branches._branch import Branch
from .branches.gaussian import Gaussian
from .cases import Cases
from .cassette import Cassette
from .encoding import Encoding
from .prepared import Floats, Prepared, factored, held, prepare
from .settings import Settings
from .sizes import Chosen
from .training.settings import Fit
from .training.task import Part, Task

CHECKS = 40
"""Validations in a whole training by gradients."""
ROOM = 0.05
"""Sensors may leave the range seen in training by so much of it."""


@final
@dataclass(frozen=True, eq=False)
class Made:
    """A branch with cassettes of this rank's operators; passes of this rank; history of the training."""

    branch: Branch
    cassettes: Mapping[str, Cassette]
    passes: Mapping[str, int]
    history: Mapping[str, Any]


def make(
    cases: Sequence[Cases],
    encoding: Encoding,
    sizes: Mapping[str, Chosen],
    how: Settings,
    ranks: Ranks,
    run: Run,
    device: torch.device,
) -> Made:
    """The branch of all ranks and the cassettes of these operators, by gradients on what the linear parts leave."""
    fitted = {one.name: prepare(one.train, encoding, *sizes[one.name], True, one.horizon) for one in cases}
    branch = _branch(encoding, how, run.seed, _spread(list(fitted.values()), encoding, ranks)).to(device)
    if how.scheme == "linear":
        blank = {one.name: cassette(one, fitted[one.name], *_nothing(branch, fitted[one.name])) for one in cases}
        return Made(branch, blank, {}, {})
    tasks = [_task(one, fitted[one.name], encoding, device) for one in cases]
    found = distributed.fit(branch, tasks, fit_settings(how), ranks, run, seed=run.seed)
    made = {}
    for one in cases:
        weights = found.operators[one.name].basis.double().cpu().numpy()
        made[one.name] = cassette(one, fitted[one.name], *factored(weights, fitted[one.name].norm, how.rank))
    return Made(branch.cpu(), made, found.passes.counts(), {"checks": list(found.history), "best_step": found.step})


def fit_settings(how: Settings) -> Fit:
    """Of the trainer."""
    every = max(1, how.steps // CHECKS)
    scheme = how.scheme if how.scheme in ("varpro", "joint", "alternating") else "joint"
    return Fit(
        scheme=scheme, steps=how.steps, batch=how.batch, q=how.q, rate=how.rate, branch_rate=how.rate, check=every,
        patience=CHECKS,
    )  # fmt: skip


def cassette(one: Cases, fitted: Prepared, mixing: Floats, basis: Floats) -> Cassette:
    """What an operator adds, in float32: mixing [K', R], basis [R, q, 2m+1], its linear part, the box of sensors."""
    sensors = one.train.sensors
    low, high = sensors.min(0), sensors.max(0)
    room = ROOM * (high - low).max()
    return Cassette(
        name=one.name,
        frame=fitted.turned,
        multiplier=(fitted.multiplier / fitted.scale).astype(np.float32),
        mixing=mixing.astype(np.float32),
        basis=basis.reshape(len(basis), *fitted.outputs.shape[1:]).astype(np.float32),
        scale=float(np.float32(fitted.scale)),
        horizon=fitted.horizon,
        low=low - room,
        high=high + room,
    )


def _task(one: Cases, fitted: Prepared, encoding: Encoding, device: torch.device) -> Task:
    chosen = held(one.validation, encoding, fitted)
    return Task(one.name, _part(fitted, device), _part(chosen, device))


def _part(data: Prepared, device: torch.device) -> Part:
    tensors = (torch.from_numpy(values).float().to(device) for values in (data.inputs, data.rest, data.norms))
    return Part(*tensors)


def _nothing(branch: Branch, fitted: Prepared) -> tuple[Floats, Floats]:
    width = branch.width + fitted.inputs.shape[1] + 1
    return np.zeros((width, 0)), np.zeros((0, *fitted.outputs.shape[1:]))


def _spread(fitted: Sequence[Prepared], encoding: Encoding, ranks: Ranks) -> torch.Tensor:
    """Root mean square [I] of every coefficient over the inputs of all ranks, a hundredth of the largest at least.

    Infinite where no input has the mode: the branch does not read it.
    """
    rows = np.concatenate([p.inputs for p in fitted]) if fitted else np.zeros((0, encoding.width))
    total = ranks.sum(torch.tensor([*(rows**2).sum(0), len(rows)], dtype=torch.float64))
    had = total[:-1] > linear_part.SEEN * total[:-1].sum()
    size = (total[:-1] / total[-1]).sqrt()
    return torch.where(had, size.clamp(min=0.01 * float(size.max())), torch.inf)


def _branch(encoding: Encoding, how: Settings, seed: int, spread: torch.Tensor) -> Branch:
    """A fresh one, the same on every rank, that reads coefficients over their spread."""
    sizes = {"widths": [how.units, how.units]} if how.branch == "mlp" else {"units": how.units}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = branches.build({"kind": how.branch, "inputs": encoding.width, "features": how.features, **sizes})
    wide = spread * (encoding.width**0.5 if isinstance(made, Gaussian) else 1.0)
    with torch.no_grad():
        made.scale.copy_(1.0 / wide)  # type: ignore[operator]
    return made
