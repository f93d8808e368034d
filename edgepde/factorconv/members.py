"""Simulators trained for one purpose, compared on one set of validation cases; the smallest good one is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgepde.errors import SettingError
from edgepde.problems.zone import ZoneData
from edgepde.train.run_folder import Run

from .description import Description, Generator, from_json
from .generator import GeneratorModule
from .modulated import Modulated, ModulatedModule
from .store import parameters_of
from .tasks import FieldTask, predicted
from .training import Fit, fit, relative

DECODER = "decoder"
NEAR = 1.05
LEFT = 0.005


@dataclass(frozen=True, eq=False)
class Member:
    """A trained simulator: validation is its mean relative L2 error there, in the mean over cases."""

    name: str
    description: Description
    module: nn.Module
    validation: float
    seconds: float
    about: dict[str, Any]

    @property
    def parameters(self) -> int:
        """How many numbers were trained."""
        return parameters_of(self.module)

    @property
    def is_dense(self) -> bool:
        """Whether its kernels are dense, so that others are measured against it."""
        return isinstance(self.description, Generator) and self.description.form == "dense"


@dataclass(frozen=True)
class TestError:
    """On held-out cases: relative L2 error in the mean and of the worst case; largest error in the field's unit."""

    cases: int
    mean: float
    worst: float
    sup: float


def train_generator(
    name: str,
    how: Generator | Modulated,
    train: ZoneData,
    validation: ZoneData,
    fitting: Fit,
    run: Run,
    device: torch.device,
) -> Member:
    """Train a generator; its checkpoint is called `name`."""
    module = how.seeded(run.seed)
    assert isinstance(module, GeneratorModule | ModulatedModule)
    module.fit_scales(train.low, train.high, train.field)
    if how.modes:
        module.fit_basis(train.field)
    module.to(device)
    task = FieldTask(train, validation, device)
    done = fit(module, task, fitting, run, name, run.seed, label=f"{name}, {parameters_of(module)} numbers")
    about = {"epochs": fitting.epochs, "best_epoch": done.epoch, "errors": done.errors, "grown": done.grown}
    return Member(name, how, module.cpu(), done.best, done.seconds, about)


def train_decoder(train: ZoneData, validation: ZoneData, run: Run, enough: float | None, most: int) -> Member:
    """Train decoders of all sizes and keep one of them, in the run as `decoder`.

    With `most` > 0 the best of at most so many numbers, else the smallest of validation error at most `enough`, which
    is 5 % above the best decoder's where not given.
    """
    kept = run.restore(DECODER)
    if kept is not None:
        tensors, meta = kept
        how = from_json(meta["description"], DECODER)
        made = how.build()
        made.load_state_dict(tensors)
        return Member(DECODER, how, made.eval(), meta["validation"], meta["seconds"], meta["about"])
    from .decoding import fit_decoders

    found = fit_decoders(train, validation, run.seed)
    if most:
        small = [c for c in found.candidates if c.parameters <= most] or list(found.candidates)
        chosen = min(small, key=lambda c: c.validation if c.parameters <= most else c.parameters)
    else:
        best = min(c.validation for c in found.candidates)
        chosen = found.smallest(NEAR * best if enough is None else enough)
    module = found.build(chosen)
    about = {"sizes_tried": len(found.candidates), "left_out": chosen.left_out}
    meta = {"validation": chosen.validation, "seconds": found.seconds, "about": about}
    run.save(DECODER, module.state_dict(), {**meta, "description": chosen.description.to_json()})
    return Member(DECODER, chosen.description, module, chosen.validation, found.seconds, about)


def choose(members: Sequence[Member], most: int = 0) -> tuple[Member, str]:
    """The member to take, and why.

    Of those within 5 % of the best dense one's validation error (of the best of all, where none is dense) the one of
    the fewest numbers; where `most` > 0, of those of at most so many numbers the one of the smallest error.
    Raises SettingError where no member is small enough.
    """
    if most:
        small = [m for m in members if m.parameters <= most]
        if not small:
            least = min(members, key=lambda m: m.parameters)
            raise SettingError(
                f"max_parameters: expected at least {least.parameters} ({least.name} has as many), got {most}"
            )
        best = min(small, key=lambda m: m.validation)
        return best, f"smallest validation error of {len(small)} simulators of at most {most} numbers"
    dense = [m for m in members if m.is_dense] or list(members)
    rival = min(dense, key=lambda m: m.validation)
    near = [m for m in members if m.validation <= NEAR * rival.validation]
    best = min(near, key=lambda m: (m.parameters, m.validation))
    return best, f"fewest numbers of {len(near)} within 5 % of {rival.name} (validation error {rival.validation:.4g})"


def test_error(module: nn.Module, test: ZoneData) -> TestError:
    """The error on held-out cases, on the CPU in float32."""
    x, u = torch.from_numpy(test.parameters).float(), torch.from_numpy(test.field)
    found = predicted(module, x)
    errors = relative(found, u, 1e-6 * float(u.square().sum((1, 2, 3)).mean().sqrt()))
    return TestError(len(test), float(errors.mean()), float(errors.max()), float((found - u).abs().max()))


def time_modes(field: NDArray[np.float32], left: float = LEFT) -> int:
    """How many time modes leave at most so much of the training fields, relative L2."""
    values = np.linalg.eigvalsh(_gram(field))[::-1].clip(min=0.0)
    remaining = np.sqrt(1.0 - np.minimum(1.0, np.cumsum(values) / values.sum()))
    return int(np.argmax(remaining <= left)) + 1


def _gram(field: NDArray[np.float32]) -> NDArray[np.float64]:
    """[T, T], summed over cases and places."""
    gram = np.zeros((field.shape[1],) * 2)
    for case in field:
        flat = case.reshape(len(case), -1).astype(np.float64)
        gram += flat @ flat.T
    return gram


def told(member: Member, test: TestError | None) -> dict[str, Any]:
    """What the history says of a member."""
    made: dict[str, Any] = {
        "name": member.name,
        "kind": type(member.description).__name__.lower(),
        "parameters": member.parameters,
        "validation": member.validation,
        "seconds": member.seconds,
        **{key: value for key, value in member.about.items() if key != "errors"},
    }
    if test is not None:
        made["test"] = {"mean": test.mean, "worst": test.worst, "sup": test.sup, "cases": test.cases}
    return made
