"""How far estimates are from the truth, and what is promised of fresh ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..members.estimator import Estimate
from .draws import Draws

AT_ONCE = 8
PLACES = 0.95
"""The share of the places of a draw that a band is to hold."""
Array = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Score:
    """Of one estimate: correlation and relative L2 error over the whole grid, the largest error."""

    correlation: float
    relative: float
    largest: float

    @property
    def words(self) -> str:
        """For people."""
        return f"correlation {self.correlation:.4f}, relative error {self.relative:.4f}, largest {self.largest:.3g}"


def score(found: NDArray[np.floating], truth: NDArray[np.floating]) -> Score:
    """Over the places where `found` is finite."""
    known = np.isfinite(found)
    a, b = found[known].astype(np.float64), truth[known].astype(np.float64)
    if not a.size:
        return Score(0.0, float("inf"), float("inf"))
    moved = (a - a.mean(), b - b.mean())
    size = float(np.sqrt((moved[0] ** 2).sum() * (moved[1] ** 2).sum()))
    correlation = float((moved[0] * moved[1]).sum()) / size if size > 0 else 0.0
    relative = float(np.sqrt(((a - b) ** 2).sum() / max((b**2).sum(), 1e-300)))
    return Score(correlation, relative, float(np.abs(a - b).max()))


@final
@dataclass(frozen=True, eq=False)
class Scores:
    """Of many draws [K]: correlation, relative and largest error, RMS residual; |error| / band of PLACES at most."""

    correlation: Array
    relative: Array
    largest: Array
    residual: Array
    banded: Array

    @property
    def error(self) -> float:
        """What members are compared by: the mean relative error, a draw that failed counting 1."""
        return float(np.where(np.isfinite(self.residual), np.minimum(self.relative, 1.0), 1.0).mean())

    def to_json(self) -> dict[str, Any]:
        """Mean, median and worst."""
        found: dict[str, Any] = {"draws": len(self.relative)}
        for name in ("correlation", "relative", "largest"):
            values, bad = getattr(self, name), "min" if name == "correlation" else "max"
            found[name] = {"mean": values.mean(), "median": np.median(values), "worst": getattr(values, bad)()}
        return found


def scores(module: nn.Module, data: Draws) -> Scores:
    """Of a module over draws."""
    rows = []
    for part, made in estimates(module, data):
        for k in range(len(part)):
            lam, truth = made.lam[k].numpy(), part.lam[k].numpy()
            one = score(lam, truth)
            outside = np.sort((np.abs(lam - truth) / made.band[k].numpy()).ravel())
            rows.append((*asdict(one).values(), float(made.residual[k]), outside[math.ceil(PLACES * len(outside)) - 1]))
    return Scores(*np.array(rows, dtype=np.float64).T)


def estimates(module: nn.Module, data: Draws) -> Iterator[tuple[Draws, Estimate]]:
    """What a module makes of draws, a few at a time."""
    with torch.no_grad():
        for part in data.split(AT_ONCE):
            yield part, module(part.readings)
