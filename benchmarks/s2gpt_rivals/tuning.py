"""Settings of the rivals, chosen on viscosities that the test does not see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
from _harness import say

from s2gpt_rivals import errors, interpolation, parametric
from s2gpt_rivals.ours import Ours

PINN = "parametric PINN"
PILOT = 0.25
VALIDATION = 12


def validation(ours: Ours, seed: int) -> errors.Questions:
    """Viscosities for choosing settings, of another draw and another count than the test's."""
    nu = errors.viscosities(ours.low, 1.0, VALIDATION, seed + 1_000_003, ours.loaded.reference.parameters)
    return errors.questions(nu, across=100, along=40)


def least(settings: Iterable[int], field_of: Callable[[int], errors.Field], asked: errors.Questions) -> int:
    """The setting whose field has the smallest product of median and maximum error."""
    found = {}
    for setting in settings:
        e = asked.errors(field_of(setting))
        found[setting] = float(np.median(e) * e.max())
    return min(found, key=lambda setting: found[setting])


def degree(ours: Ours, asked: errors.Questions) -> int:
    """The degree of the polynomial fit, below the interpolation's N - 1."""
    size = ours.loaded.reference.size
    snapshots = interpolation.Snapshots.at(ours.loaded.reference, asked.points)
    return least(range(max(1, size // 2), size - 1), lambda k: snapshots.fitted(k).field, asked)


def width(ours: Ours, widths: Sequence[int], asked: errors.Questions, seed: int) -> int:
    """The parametric PINN's width, by trainings of a quarter of the time."""
    if len(widths) == 1:
        return widths[0]
    return least(widths, lambda w: partial(parametric.evaluate, pinn(ours, w, PILOT * ours.seconds, seed)), asked)


def pinn(ours: Ours, width: int, seconds: float, seed: int) -> parametric.Network:
    """The parametric PINN after that many seconds."""
    say(f"training the {PINN} of width {width} for {seconds:.0f} s")
    trained = parametric.train(ours.loaded.problem, width, seconds, seed)
    say(f"{trained.steps} steps, relative residual {trained.residual:.1e}")
    return parametric.Network(ours.loaded.problem, trained)
