"""Rows of errors: every contestant at the same viscosities and points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import edgepde_runtime
import numpy as np
from _harness import OURS, PUBLISHED, Row
from numpy.typing import NDArray

from s2gpt_rivals import errors, interpolation, parametric
from s2gpt_rivals.ours import Ours, field_of
from s2gpt_rivals.tuning import PINN

INTERPOLATED, FITTED = "log-nu interpolation", "log-nu polynomial fit"
TABULATED = "coefficients solved offline"
UNIT = "relative L2"


@dataclass(frozen=True)
class Range:
    """Viscosities [low, 1], what our errors there must reach (None: no target), and what the paper's code reached."""

    low: float
    median: float | None = None
    maximum: float | None = None
    published: tuple[float, float] | None = None


def rows(ours: Ours, asked: Range, rival: edgepde_runtime.Model, degree: int, exact: errors.Questions) -> Iterator[Row]:
    """Median and maximum of every contestant; rival: the parametric PINN's bundle; degree: the polynomial fit's."""
    model = ours.open()
    passing = interpolation.Snapshots.at(ours.loaded.reference, exact.points)
    fields: dict[str, errors.Field] = {
        OURS: lambda nu, points: field_of(model, nu, points),
        INTERPOLATED: passing.field,
        FITTED: passing.fitted(degree).field,
        TABULATED: interpolation.SolvedOffline(ours.loaded.reference).field,
        PINN: lambda nu, points: np.asarray(rival(parametric.inputs_of(nu, points)))[:, 0][None],
    }
    case = f"model of {ours.words}: nu in [{asked.low:g}, 1]"
    notes = {
        TABULATED: "spline in log nu through 65 solves",
        FITTED: f"degree {degree}",
        INTERPOLATED: f"Lebesgue constant {interpolation.amplification(passing):.0f}",
    }
    for name, field in fields.items():
        yield from both(case, name, exact.errors(field), asked, notes.get(name, ""))
    if asked.published:
        for words, value in zip(("median", "maximum"), asked.published, strict=True):
            yield Row(f"{case}, {words}", PUBLISHED, UNIT, value, note="against its own PINN, nu >= 0.067")


def both(case: str, rival: str, found: NDArray[np.float64], asked: Range, note: str = "") -> Iterator[Row]:
    """Median with quartiles, and maximum; targets are ours alone, and NaN for a viscosity is NaN for the row."""
    median, maximum = (asked.median, asked.maximum) if rival == OURS else (None, None)
    quartiles = (float(np.quantile(found, 0.25)), float(np.quantile(found, 0.75)))
    yield Row(f"{case}, median", rival, UNIT, float(np.median(found)), median, spread=quartiles, note=note)
    yield Row(f"{case}, maximum", rival, UNIT, float(found.max()), maximum, note=note)
