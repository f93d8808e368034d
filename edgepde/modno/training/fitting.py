"""A whole training: steps, checks, checkpoints, the best state at the end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from edgepde.train.progress import progress
from edgepde.train.run_folder import Run

from ..branches._branch import Branch
from .passes import Passes
from .settings import Fit
from .task import Part, Task
from .trainer import Trainer
from .trunks.spectral import SpectralTrunk

SECONDS_BETWEEN_SAVES = 10.0
State = tuple[dict[str, Tensor], dict[str, Any]]


@final
@dataclass(frozen=True)
class Trained:
    """One operator: basis [K', P] in the units of its targets, delta (left, right) or None, error on the held cases.

    own: the lowest error it had at any check, and the step: what one branch for all costs it.
    """

    name: str
    basis: Tensor
    delta: tuple[Tensor, Tensor] | None
    error: float
    own: tuple[float, int]


@final
@dataclass(frozen=True)
class Fitted:
    """A trained branch and its operators, the passes that ran, one entry of history per check, the step that is kept.

    appended: features end with the coefficients and a one. columns: features of the branch that an operator reads.
    """

    branch: Branch
    operators: Mapping[str, Trained]
    passes: Passes
    history: Sequence[Mapping[str, Any]]
    step: int
    appended: bool
    columns: Mapping[str, slice]

    def error_on(self, name: str, cases: Part) -> float:
        """Mean relative L2 error of an operator on other cases, in the units of its task."""
        made, x = self.operators[name], cases.inputs
        with torch.no_grad():
            features = self.branch(x, *(made.delta or ()))[:, self.columns[name]]
            if self.appended:
                features = torch.cat([features, x, torch.ones_like(x[:, :1])], 1)
            return cases.error(features @ made.basis)

    def passes_to(self, name: str, error: float) -> int | None:
        """Passes until the operator's held error was first at most `error`; None if it never was."""
        for entry in self.history:
            if entry["errors"].get(name, float("inf")) <= error:
                return int(entry["passes"])
        return None


def fit(
    branch: Branch,
    tasks: Sequence[Task],
    how: Fit,
    run: Run | None = None,
    name: str = "modno",
    seed: int = 0,
    groups: Mapping[str, int] | None = None,
    deltas: Mapping[str, int] | None = None,
) -> Fitted:
    """Train a branch in place for some operators and leave it as it was where the held cases liked it best.

    name: of the checkpoint in `run`. An interrupted training resumes bit for bit, after its last check.
    Raises TrainingError where a slope or an error is not finite.
    """
    trainer = Trainer(branch, tasks, how, seed, groups=groups, deltas=deltas)
    kept = run.restore(name) if run is not None else None
    if kept is not None:
        trainer.load(*kept)
    elif trainer.course.step == 0:
        trainer.check()
    advance(trainer, run, name)
    return finish(trainer)


def advance(trainer: Trainer, run: Run | None, name: str) -> None:
    """Steps and checks until the training is over; its state is saved now and then, at the end and when interrupted."""
    last, saved, began = trainer.state(), time.monotonic(), trainer.course.step
    over = trainer.course.over(trainer.how)
    try:
        with progress(name, trainer.how.steps) as bar:
            while not over:
                trainer.step()
                if not trainer.due:
                    continue
                over = trainer.check()
                last = trainer.state()
                bar.update(trainer.course.step)
                bar.note(said(trainer))
                if run is not None and (over or time.monotonic() - saved > SECONDS_BETWEEN_SAVES):
                    run.save(name, *last)
                    saved = time.monotonic()
    except KeyboardInterrupt:
        if run is not None and last[1]["course"]["step"] > began:
            run.save(name, *last)
        raise


def said(trainer: Trainer) -> str:
    """Where a training stands, in a line."""
    course = trainer.course
    worst = max(course.history[-1]["errors"].items(), key=lambda pair: pair[1])
    return (
        f"held error {100 * course.history[-1]['score']:.3g} %, best {100 * course.best:.3g} % at step "
        f"{course.best_step}; worst {worst[0]} {100 * worst[1]:.3g} %"
    )


def finish(trainer: Trainer) -> Fitted:
    """The best state, spectral trunks solved once more where asked and where the held cases gain by it."""
    trainer.restore_best()
    found = {}
    for member in trainer.members:
        closed = trainer.how.refit and isinstance(member.trunk, SpectralTrunk)
        error = member.refit() if closed else member.held_error()
        parts = [part.detach().clone() for part in member.delta.parts] if member.delta is not None else []
        own, step = trainer.course.own.get(member.name, [error, 0.0])
        found[member.name] = Trained(
            member.name,
            member.trunk.basis().detach() * member.scale,
            (parts[0], parts[1]) if parts else None,
            error,
            (own, int(step)),
        )
    columns = {member.name: trainer.columns(member) for member in trainer.members}
    course = trainer.course
    return Fitted(
        trainer.branch, found, trainer.passes, course.history, course.best_step, trainer.how.appended, columns
    )
