"""What the recipes of inverse problems do: choose and train an estimator, measure it, recover the readings given."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from torch import nn

from edgepde.train.run_folder import Run
from edgepde.train.threads import one_thread

from .. import store
from ..conformal import calibrate
from ..grid import Grid
from ..members._member import Member
from ..members.estimator import Estimator
from ..members.refined import Refined
from . import examples, picture
from .draws import Draws, draws, seed_of
from .figures import Scores, scores
from .methods import Row, Shipping, recovered, told
from .readings import Given
from .refining import refine
from .settings import InverseSettings
from .tuning import Tuned, tune

TUNED, PICTURE = "tuned", "lambda.png"
ROOM = 0.05
"""Readings may leave the range seen by so much of it."""
BAND = 0.1
"""The share of fresh draws that may have more places outside their band than they should."""
FEW = 10
"""Up to so many validation draws, few windows are compared."""


@final
@dataclass(frozen=True, eq=False)
class Candidate:
    """A member that may ship: its error on validation draws, and what the history says."""

    member: Member
    module: nn.Module
    error: float
    about: Mapping[str, Any]


def train(config: InverseSettings, run: Run, device: torch.device) -> None:
    """Recover what was given or simulated; leave an estimator for readings like these in the run, and a picture.

    Raises DataError for readings on a grid that cannot be simulated.
    """
    began = time.monotonic()
    given: Given | None = run.data
    if given is not None:
        config = config.on(given)
        config = config if given.noise is None else replace(config, noise=given.noise / given.spread)
    problem = config.problem()
    grid = Grid.of(dict(config.units), **problem.axes)
    with one_thread():
        validation = draws(config.rough(), config.validation, "validation", run)
        made = candidates(config, grid, validation, run, device)
        best = min(made, key=lambda c: c.error)
        test = draws(problem, config.test, "test", run)
        device_form, measured = promised(config, best, grid, validation, test, run)
        case = given or simulated(config, run.seed)
        rows = recovered(case, config, grid, Shipping(device_form, best.error), validation, run)
    kept = examples.chosen(measured, test)
    history = {
        "tuned": made[0].about,
        "members": [{"kind": c.member.kind, "validation": c.error, **c.about} for c in made[1:]],
        "chosen": best.member.kind,
        "test": measured.to_json(),
        "recovered": [row.to_json() for row in rows],
        "offline_seconds": time.monotonic() - began,
    }
    examples.keep(run, test, kept)
    say(best, made, measured, rows, case)
    for line in refused(device_form, case):
        print(line, file=sys.stderr)
    chosen = next(row for row in rows if row.kept)
    store.save(run, device_form, about(config, case), history, chosen.tensors())
    picture.draw(*chosen.panels(case, grid), f"{config.unknown} {config.unit}".strip(), run.path / PICTURE)
    print(f"picture: {run.path / PICTURE}", file=sys.stderr)


def candidates(
    config: InverseSettings, grid: Grid, validation: Draws, run: Run, device: torch.device
) -> list[Candidate]:
    """The estimator, and its refinement where that is asked for."""
    tuned = _tuned(config, grid, validation, run)
    estimator = tuned.chosen
    made = [Candidate(estimator, estimator.build(grid).eval(), tuned.error, {"tried": list(tuned.tried)})]
    if config.method not in ("auto", "refined"):
        return made
    training = draws(config.rough(), config.training, "training", run)
    done = refine(Refined(estimator, config.width), grid, training, validation, config.epochs, config.rate, run, device)
    told_of = {"epochs": config.epochs, "best_epoch": done.epoch, "seconds": done.seconds, "draws": len(training)}
    refined = Candidate(Refined(estimator, config.width), done.module, done.error, told_of)
    return [refined] if config.method == "refined" else [*made, refined]


def promised(
    config: InverseSettings, best: Candidate, grid: Grid, validation: Draws, test: Draws, run: Run
) -> tuple[store.Device, Scores]:
    """The member with its band widened, and what holds for a fresh draw, by test draws that chose nothing."""
    measured = scores(best.module, test)
    widening = calibrate(measured.banded, max(config.level, BAND)).threshold
    member = widened(best.member, widening)
    module = store.rebuilt(member, grid, best.module.state_dict())
    largest, residual = calibrate(measured.largest, config.level), calibrate(measured.residual, config.level)
    seen = torch.cat([d.readings for d in (validation, test)])
    low, high = float(seen.min()), float(seen.max())
    room = ROOM * (high - low)
    promise = store.Promise(
        config.level, len(test), largest.threshold, residual.threshold, residual.probabilities, residual.quantiles,
        residual.unbounded, seed_of(run.seed, "test"),
    )  # fmt: skip
    said = {"statement": config.statement, "unknown": config.unknown}
    made = store.Device(member, module, grid, low - room, high + room, promise, config.units, said)
    return made, measured


def widened(member: Member, widening: float) -> Member:
    """The member with its band that much wider."""
    if isinstance(member, Refined):
        return replace(member, estimator=replace(member.estimator, widening=widening))
    assert isinstance(member, Estimator)
    return replace(member, widening=widening)


def simulated(config: InverseSettings, seed: int) -> Given:
    """The case that is recovered where no readings were given."""
    case = config.given().case(seed_of(seed, "given"))
    return Given("simulated", case.axes, case.readings, case.noise, case.lam)


def about(config: InverseSettings, case: Given) -> dict[str, Any]:
    """The problem as spec.json has it."""
    return {"name": config.statement, "about": config.about, "noise": config.noise, "readings": case.source}


def refused(made: store.Device, case: Given) -> list[str]:
    """Why the device would refuse these readings, a line per reason; none where it takes them."""
    missing = int(np.isnan(case.values).sum())
    outside = int(((case.values < made.low) | (case.values > made.high)).sum())
    said = []
    if missing:
        said.append(f"{missing} of {case.values.size} readings are missing: the device takes complete rows alone")
    if outside:
        said.append(
            f"{outside} of {case.values.size} readings lie outside {made.low:.4g} .. {made.high:.4g}, the range of "
            'simulated draws: the device refuses such rows, or with out_of_box="flag" computes them without a promise'
        )
    return said


def say(best: Candidate, made: list[Candidate], measured: Scores, rows: list[Row], case: Given) -> None:
    """What came out, for people."""
    for one in made:
        print(f"{one.member.kind}: relative error {one.error:.4f} on validation draws", file=sys.stderr)
    found = measured.to_json()
    print(
        f"on the device: {best.member.kind}; {found['draws']} fresh draws: correlation "
        f"{found['correlation']['median']:.4f} (worst {found['correlation']['worst']:.4f}), relative error "
        f"{found['relative']['median']:.4f} (worst {found['relative']['worst']:.4f})",
        file=sys.stderr,
    )
    print(f"the readings {case.source}:", file=sys.stderr)
    for line in told(rows):
        print(line, file=sys.stderr)


def _tuned(config: InverseSettings, grid: Grid, validation: Draws, run: Run) -> Tuned:
    """The estimator, chosen once per run."""
    kept = run.restore(TUNED)
    if kept is not None:
        meta = kept[1]
        return Tuned(Estimator.from_json(meta["chosen"], TUNED), float(meta["error"]), tuple(meta["tried"]))
    low, high = config.bounds
    sizes = (1,) * len(grid.axes)
    first = Estimator(config.statement, sizes, sizes, scale=max(abs(low), abs(high)), low=low, high=high)
    tuned = tune(first, config.stated(), grid, validation, few=config.validation < FEW)
    meta = {"chosen": tuned.chosen.to_json(), "error": tuned.error, "tried": list(tuned.tried)}
    run.save(TUNED, {"error": torch.tensor(tuned.error)}, meta)
    return tuned
