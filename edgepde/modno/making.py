"""From data of operators to a shared branch and a cassette for each, by the scheme that is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
import torch

from edgepde.errors import SettingError
from edgepde.train.ranks import Ranks
from edgepde.train.run_folder import Run

from .branches._branch import Branch
from .by_gradients import RANK, fresh_branch, learned, prepared
from .cases import Cases
from .cassette import Cassette
from .closed_form import Closed, fit
from .encoding import Encoding
from .prepared import affine, cassette
from .settings import BY_GRADIENTS, READ, Settings
from .training.learned import VARPRO, Learner

FEATURES = 128
"""Of a learned branch."""


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
        found = learned(cases, encoding, how, ranks, run, device, part)
        return Made(encoding, found.branch, found.cassettes, found.passes, found.history)
    if how.scheme == "linear":
        return linear(cases, encoding, how, run.seed)
    return closed(cases, how, run) if how.scheme == "learned" else closed(cases, how)


def closed(cases: Sequence[Cases], how: Settings, run: Run | None = None) -> Made:
    """In closed form, nothing is iterated; with a run, the branch alone is learned by gradients."""
    learner = _learner(how, run) if run is not None else None
    read = READ["closed"] & READ["closed" if learner is None else "learned"]
    sizes = {name: getattr(how, name) for name in read if getattr(how, name) is not None}
    found = fit(
        [one.train for one in cases], [one.validation for one in cases], Closed(**sizes),
        {one.name: one.horizon for one in cases}, {one.name: one.reach for one in cases}, learner,
    )  # fmt: skip
    passes = found.passes
    history: dict[str, Any] = {}
    if learner is not None and learner.fitted is not None:
        passes.add(learner.fitted.passes)
        history = {"checks": list(learner.fitted.history), "best_step": learner.fitted.step}
    return Made(found.model.encoding, found.model.branch, found.cassettes, passes.counts(), history, found.figures)


def _learner(how: Settings, run: Run) -> Learner:
    """As many steps as the settings want."""
    steps = how.steps or VARPRO.steps
    fewer = replace(VARPRO, steps=steps, check=min(VARPRO.check, steps))
    return Learner(how.widths, how.features or FEATURES, fewer, run, run.seed)


def linear(cases: Sequence[Cases], encoding: Encoding, how: Settings, seed: int) -> Made:
    """The linear parts alone, beside a branch that nobody reads."""
    least = replace(how, features=1, widths=(), branch="mlp")
    branch = fresh_branch(encoding, least, seed, torch.ones(encoding.width))
    made = {}
    for one in cases:
        fitted = prepared(one, encoding)
        mixing, basis = affine(fitted, RANK if how.rank is None else how.rank)
        unread = np.zeros((branch.width, len(basis)))
        made[one.name] = cassette(fitted, one.train.sensors, np.concatenate([unread, mixing]), basis)
    return Made(encoding, branch, made)
