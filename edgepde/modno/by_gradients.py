"""A shared branch by gradients, on what the linear parts leave, with what keeps operators out of each other's way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, final

import numpy as np
import torch

from edgepde.errors import SettingError
from edgepde.train.ranks import Ranks
from edgepde.train.run_folder import Run

from . import branches, distributed
from .branches._branch import Branch, reading
from .branches.gaussian import Gaussian
from .branches.grouped import Grouped
from .cases import Cases
from .cassette import Cassette
from .encoding import Encoding
from .prepared import Floats, Prepared, cassette, factored, held, prepare
from .settings import READ, Settings
from .sizes import output_sizes
from .spectral import Spectral
from .symmetry import symmetries
from .training.control import with_deltas
from .training.fitting import Fitted
from .training.grouping import clusters, fresh
from .training.interference import measure
from .training.passes import Passes
from .training.preparing import spectral_task
from .training.settings import Fit
from .training.task import Task

FEATURES, UNITS, RANK = 64, 256, 32
CHECKS = 40
"""Validations in a whole training by gradients."""
Apart = Callable[[Branch, int], Grouped]


@final
@dataclass(frozen=True, eq=False)
class Learned:
    """What came out: the branch, cassettes of this rank's operators, passes of this rank, history."""

    branch: Branch
    cassettes: Mapping[str, Cassette]
    passes: Mapping[str, int]
    history: Mapping[str, Any]


def learned(
    cases: Sequence[Cases],
    encoding: Encoding,
    how: Settings,
    ranks: Ranks,
    run: Run,
    device: torch.device,
    part: str = "modno",
    apart: Apart | None = None,
) -> Learned:
    """A branch for all ranks; apart: makes one with a part for every operator. SettingError for groups over ranks."""
    fitted, branch, tasks = begun(cases, encoding, how, ranks, run.seed, device)
    groups: dict[str, int] | None = None
    said: list[str] = []
    spent = Passes()
    if apart is not None:
        branch, groups = apart(branch, len(cases)), {one.name: place for place, one in enumerate(cases)}
    elif how.groups > 1:
        branch, groups, said, probes = _grouped(branch, tasks, how, ranks, run.seed)
        spent.add(probes)
    found = distributed.fit(branch, tasks, fit_settings(how), ranks, run, part, run.seed, groups)
    if how.delta:
        found, changes = with_deltas(found, tasks, fit_settings(how), how.delta, run.seed, groups)
        said += [change.line() for change in changes]
    made = {}
    for one in cases:
        factors = factored(_widened(found, one.name), fitted[one.name].norm, how.rank or RANK)
        own = cassette(fitted[one.name], one.train.sensors, *factors)
        made[one.name] = _with_delta(own, found.operators[one.name].delta)
    history = {"checks": list(found.history), "best_step": found.step, "interference": said}
    spent.add(found.passes)
    spent.solved(sum(len(one.train) for one in cases))  # the linear parts
    return Learned(found.branch.cpu(), made, spent.counts(), history)


def begun(
    cases: Sequence[Cases], encoding: Encoding, how: Settings, ranks: Ranks, seed: int, device: torch.device
) -> tuple[dict[str, Prepared], Branch, list[Task]]:
    """Data of this rank's operators in their frames, a fresh branch that is the same on all ranks, what is to learn."""
    fitted = {one.name: prepared(one, encoding) for one in cases}
    branch = fresh_branch(encoding, how, seed, _scale(list(fitted.values()), encoding, ranks)).to(device)
    return fitted, branch, [_task(one, fitted[one.name], encoding, device) for one in cases]


def _grouped(
    branch: Branch, tasks: Sequence[Task], how: Settings, ranks: Ranks, seed: int
) -> tuple[Branch, dict[str, int] | None, list[str], Passes]:
    """A branch for each cluster of operators that pull it the same way, what was found, and the passes it took."""
    if ranks.size > 1:
        raise SettingError("groups: operators are compared in one process; start it without torchrun")
    found = measure(branch, tasks, fit_settings(how), seed)
    groups = clusters(found, most=how.groups)
    count = max(groups.values()) + 1
    said = [f"group {place}: {', '.join(n for n, g in groups.items() if g == place)}" for place in range(count)]
    if count == 1:
        return branch, None, said, found.passes
    return fresh(branch, count, seed), groups, said, found.passes


def _with_delta(own: Cassette, delta: tuple[torch.Tensor, torch.Tensor] | None) -> Cassette:
    if delta is None:
        return own
    left, right = (t.detach().float().cpu().numpy() for t in delta)
    return replace(own, left=left, right=right)


def _widened(found: Fitted, name: str) -> Floats:
    """Weights [K', P] of all features of the branch, 0 for those of other operators' parts."""
    own = found.operators[name].basis.double().cpu().numpy()
    columns = found.columns[name]
    made = np.zeros((found.branch.width + len(own) - (columns.stop - columns.start), own.shape[1]))
    made[columns], made[found.branch.width :] = np.split(own, [columns.stop - columns.start])
    return made


def fit_settings(how: Settings) -> Fit:
    """Of the trainer."""
    steps = how.steps or Fit.steps
    every = max(1, steps // CHECKS)
    return Fit(
        scheme=cast(Literal["varpro", "joint", "alternating"], how.scheme), steps=steps, batch=how.batch,
        q=how.q if "q" in READ[how.scheme] else Fit.q,
        rate=how.rate, branch_rate=how.rate, check=every,
        patience=CHECKS,
    )  # fmt: skip


def _task(one: Cases, fitted: Prepared, encoding: Encoding, device: torch.device) -> Task:
    made = spectral_task(fitted, held(one.validation, encoding, fitted), torch.float32)
    return replace(made, train=made.train.to(device), held=made.held.to(device))


def prepared(one: Cases, encoding: Encoding) -> Prepared:
    """Training cases in the frame that they allow, with their linear part."""
    sizes = output_sizes(one.train, one.horizon)
    form = Spectral(encoding.period, sizes.modes, one.horizon, sizes.terms - 1)
    outputs = form.coefficients(one.train.field, one.train.times, one.train.x)
    turned = "shift" in symmetries(encoding.coefficients(one.train.sensors), outputs)
    return prepare(one.train, encoding, *sizes, turned, one.horizon)


def _scale(fitted: Sequence[Prepared], encoding: Encoding, ranks: Ranks) -> torch.Tensor:
    """How the inputs [I] of all ranks are read."""
    rows = np.concatenate([p.inputs for p in fitted]) if fitted else np.zeros((0, encoding.width))
    total = ranks.sum(torch.tensor([*(rows**2).sum(0), len(rows)], dtype=torch.float64))
    return reading(total[:-1] / total[-1])


def fresh_branch(encoding: Encoding, how: Settings, seed: int, scale: torch.Tensor) -> Branch:
    """A fresh one, the same on every rank, that reads coefficients times their scale [I]."""
    sizes = {"widths": list(how.widths)} if how.branch == "mlp" else {"units": how.units or UNITS}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        features = how.features or FEATURES
        made = branches.build({"kind": how.branch, "inputs": encoding.width, "features": features, **sizes})
    with torch.no_grad():
        made.scale.copy_(scale / (encoding.width**0.5 if isinstance(made, Gaussian) else 1.0))  # type: ignore[operator]
    return made
