"""From data of operators to a shared branch and a cassette for each, by the scheme that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast, final

import numpy as np
import torch

from edgepde.errors import SettingError
from edgepde.train.ranks import Ranks
from edgepde.train.run_folder import Run

from . import branches, distributed, linear_part
from .branches._branch import Branch
from .branches.gaussian import Gaussian
from .branches.grouped import Grouped
from .cases import Cases
from .cassette import Cassette
from .closed_form import Closed, fit
from .encoding import Encoding
from .prepared import Floats, Prepared, cassette, factored, held, prepare
from .settings import BY_GRADIENTS, Settings
from .sizes import output_sizes
from .spectral import Spectral
from .symmetry import symmetries
from .training.fitting import Fitted
from .training.settings import Fit
from .training.task import Part, Task

FEATURES, UNITS, RANK = 64, 256, 32
SOLVES = 2
"""In closed form every case goes through the branch for the joint solve and for its operator's own."""
CHECKS = 40
"""Validations in a whole training by gradients."""


@final
@dataclass(frozen=True, eq=False)
class Made:
    """A branch, cassettes and passes of this rank's operators; history of the training; found: by operator.

    encoding: what the branch reads.
    """

    encoding: Encoding
    branch: Branch
    cassettes: Mapping[str, Cassette]
    passes: Mapping[str, int] = field(default_factory=dict)
    history: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def make(
    cases: Sequence[Cases],
    encoding: Encoding,
    how: Settings,
    ranks: Ranks,
    run: Run,
    device: torch.device,
    part: str = "modno",
) -> Made:
    """The branch of all ranks and the cassettes of these operators; SettingError for schemes of one process alone.

    part: the name of the checkpoint, where one is written.
    """
    if ranks.size > 1 and not how.by_gradients:
        raise SettingError(f"scheme: {how.scheme} runs in one process; on several: {', '.join(BY_GRADIENTS)}")
    if how.by_gradients:
        return trained(cases, encoding, how, ranks, run, device, part)
    if how.scheme == "linear":
        return linear(cases, encoding, how, run.seed)
    return closed(cases, how)


def closed(cases: Sequence[Cases], how: Settings) -> Made:
    """In closed form, nothing is iterated."""
    sizes = {name: getattr(how, name) for name in ("units", "features", "rank") if getattr(how, name) is not None}
    found = fit(
        [one.train for one in cases], [one.validation for one in cases], Closed(**sizes),
        {one.name: one.horizon for one in cases},
    )  # fmt: skip
    rows = {n: len(one.train) * (1 + len(found.figures[n]["images"])) for one in cases for n in [one.name]}
    read = sum(count for n, count in rows.items() if found.cassettes[n].rank)
    solved = sum(len(one.train) for one in cases) + SOLVES * read
    passes = {"branch_forward": SOLVES * read, "trunk_forward": solved, "trunk_backward": solved}
    return Made(found.model.encoding, found.model.branch, found.cassettes, passes, found=found.figures)


def linear(cases: Sequence[Cases], encoding: Encoding, how: Settings, seed: int) -> Made:
    """The linear parts alone, beside a branch that nobody reads."""
    branch = _branch(encoding, replace(how, features=1, widths=(), branch="mlp"), seed, torch.ones(encoding.width))
    made = {}
    for one in cases:
        fitted = _prepared(one, encoding)
        nothing = np.zeros((branch.width + encoding.width + 1, 0)), np.zeros((0, *fitted.outputs.shape[1:]))
        made[one.name] = cassette(fitted, one.train.sensors, *nothing)
    return Made(encoding, branch, made)


def trained(
    cases: Sequence[Cases],
    encoding: Encoding,
    how: Settings,
    ranks: Ranks,
    run: Run,
    device: torch.device,
    part: str = "modno",
    apart: Callable[[Branch, int], Grouped] | None = None,
) -> Made:
    """By gradients on what the linear parts leave; apart: makes a branch with a part per operator of one branch."""
    fitted = {one.name: _prepared(one, encoding) for one in cases}
    spread = _spread(list(fitted.values()), encoding, ranks)
    branch = _branch(encoding, how, run.seed, spread).to(device)
    groups = None
    if apart is not None:
        branch, groups = apart(branch, len(cases)), {one.name: place for place, one in enumerate(cases)}
    tasks = [_task(one, fitted[one.name], encoding, device) for one in cases]
    found = distributed.fit(branch, tasks, fit_settings(how), ranks, run, part, run.seed, groups)
    made = {}
    for one in cases:
        weights = _widened(found, one.name)
        factors = factored(weights, fitted[one.name].norm, RANK if how.rank is None else how.rank)
        made[one.name] = cassette(fitted[one.name], one.train.sensors, *factors)
    history = {"checks": list(found.history), "best_step": found.step}
    return Made(encoding, branch.cpu(), made, found.passes.counts(), history)


def _widened(found: Fitted, name: str) -> Floats:
    """Weights [K', P] of all features of the branch, 0 for those of other operators' parts."""
    own = found.operators[name].basis.double().cpu().numpy()
    columns = found.columns[name]
    made = np.zeros((found.branch.width + len(own) - (columns.stop - columns.start), own.shape[1]))
    made[columns], made[found.branch.width :] = np.split(own, [columns.stop - columns.start])
    return made


def fit_settings(how: Settings) -> Fit:
    """Of the trainer."""
    every = max(1, how.steps // CHECKS)
    return Fit(
        scheme=cast(Literal["varpro", "joint", "alternating"], how.scheme), steps=how.steps, batch=how.batch, q=how.q,
        rate=how.rate, branch_rate=how.rate, check=every,
        patience=CHECKS,
    )  # fmt: skip


def _task(one: Cases, fitted: Prepared, encoding: Encoding, device: torch.device) -> Task:
    chosen = held(one.validation, encoding, fitted)
    return Task(one.name, _part(fitted, device), _part(chosen, device))


def _part(data: Prepared, device: torch.device) -> Part:
    tensors = (torch.from_numpy(values).float().to(device) for values in (data.inputs, data.rest, data.norms))
    return Part(*tensors)


def _prepared(one: Cases, encoding: Encoding) -> Prepared:
    sizes = output_sizes(one.train, one.horizon)
    form = Spectral(encoding.period, sizes.modes, one.horizon, sizes.terms - 1)
    outputs = form.coefficients(one.train.field, one.train.times, one.train.x)
    turned = "shift" in symmetries(encoding.coefficients(one.train.sensors), outputs)
    return prepare(one.train, encoding, *sizes, turned, one.horizon)


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
    sizes = {"widths": list(how.widths)} if how.branch == "mlp" else {"units": how.units or UNITS}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        features = how.features or FEATURES
        made = branches.build({"kind": how.branch, "inputs": encoding.width, "features": features, **sizes})
    wide = spread * (encoding.width**0.5 if isinstance(made, Gaussian) else 1.0)
    with torch.no_grad():
        made.scale.copy_(1.0 / wide)  # type: ignore[operator]
    return made
