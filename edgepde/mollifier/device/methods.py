"""One case recovered in several ways, side by side: what ships, what no network finds, the baselines."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, final

import numpy as np
import torch
from edgepde_runtime.errors import EdgePDEError
from numpy.typing import NDArray
from torch import Tensor

from edgepde.errors import TrainingError
from edgepde.train.run_folder import Run

from .. import store
from ..grid import Grid
from ..inverse.recovering import recover
from .draws import Draws
from .figures import Score, score
from .readings import Given
from .settings import InverseSettings

Array = NDArray[np.float64]
WAYS = ("savgol", "weak", "spline")
"""Always tried, as baselines: Savitzky-Golay windows with pooled ratios, the weak form, splines."""
DEVICE, NETWORK, SOLVER, SPLINE, AUTO = "device", "network", "solver", "spline", "auto"
JUDGED = 8


@final
@dataclass(frozen=True)
class Shipping:
    """What ships, and its mean relative error on validation draws."""

    device: store.Device
    error: float


@final
@dataclass(frozen=True, eq=False)
class Row:
    """One way: lambda with its interval and mask; how far from the truth where that is known; why it, or why not.

    asked: under which name, where it chose another itself.
    """

    name: str
    lam: Array | None = None
    low: Array | None = None
    high: Array | None = None
    mask: NDArray[np.bool_] | None = None
    score: Score | None = None
    seconds: float = 0.0
    why: str = ""
    kept: bool = False
    recommended: bool = False
    asked: str = ""

    def to_json(self) -> dict[str, Any]:
        """As the history has it."""
        known = {} if self.score is None else asdict(self.score)
        return {"name": self.name, "seconds": self.seconds, "why": self.why, **_marks(self), **known}

    def tensors(self) -> dict[str, Tensor]:
        """lam, low, high as the run keeps them, and mask: where they mean something."""
        assert self.lam is not None
        parts = {"lam": self.lam, "low": self.low, "high": self.high}
        found = {n: v for n, v in parts.items() if v is not None}
        mask = np.ones(self.lam.shape, dtype=bool) if self.mask is None else self.mask
        for values in found.values():
            mask = mask & np.isfinite(values)
        made = {n: torch.from_numpy(np.where(mask, v, 0.0)) for n, v in found.items()}
        return {**made, "mask": torch.from_numpy(mask.copy())}

    def panels(self, case: Given, grid: Grid) -> tuple[dict[str, Array], dict[str, Array]]:
        """What a picture shows of it, and its axes; masked places empty."""
        assert self.lam is not None
        held = self.lam if self.mask is None else np.where(self.mask, self.lam, np.nan)
        panels = {} if case.lam is None else {"truth": case.lam}
        panels["estimate"] = held
        if case.lam is not None:
            panels["difference"] = held - case.lam
        if self.low is not None and self.high is not None:
            panels["band"] = (self.high - self.low) / 2.0
        letters = [axis.name for axis in grid.axes][-held.ndim :]
        return panels, {letter: grid.axis(letter).values for letter in letters}


def recovered(
    case: Given, config: InverseSettings, grid: Grid, ships: Shipping, validation: Draws, run: Run
) -> list[Row]:
    """Every way that applies; one is kept, one recommended. A way that fails says why."""
    made = ships.device
    ways: list[tuple[str, Callable[[], Row]]] = [(way, _by(way, case, config, grid)) for way in WAYS]
    if case.complete:
        ways.append((DEVICE, lambda: _device(case, made)))
    if config.method in (AUTO, SOLVER):
        ways.append((config.method, _by(config.method, case, config, grid)))
    if config.method == NETWORK:
        from .host import fitted

        ways.append((NETWORK, lambda: fitted(case, config, grid, run)))
    rows = []
    for name, way in ways:
        began = time.perf_counter()
        try:
            row = way()
        except EdgePDEError as error:
            row = Row(name, why=str(error))
        row = replace(row, seconds=time.perf_counter() - began)
        if row.lam is not None and case.lam is not None:
            row = replace(row, score=score(row.lam, case.lam))
        rows.append(row)
    return _marked(rows, config, ships, validation, grid)


def _marked(rows: list[Row], config: InverseSettings, ships: Shipping, validation: Draws, grid: Grid) -> list[Row]:
    """Kept is the way asked for. Recommended: a solver that explains the readings, else whichever of what ships and the
    spline errs less on validation draws.
    """
    there = {row.asked or row.name: row for row in rows if row.lam is not None}
    if not there:
        reasons = "; ".join(f"{row.name}: {row.why}" for row in rows)
        raise TrainingError(f"no way recovers lambda: {reasons}")
    solved = next((name for name in (AUTO, SOLVER) if name in there and there[name].name == SOLVER), None)
    spline = _error(config, grid, validation) if DEVICE in there else 0.0
    best = solved or (DEVICE if DEVICE in there and ships.error <= spline else SPLINE)
    best = best if best in there else next(iter(there))
    asked = config.method if config.method in there and config.method != AUTO else best
    return [
        replace(row, kept=(row.asked or row.name) == asked, recommended=(row.asked or row.name) == best) for row in rows
    ]


def _error(config: InverseSettings, grid: Grid, validation: Draws) -> float:
    """The spline's mean relative error on the first validation draws."""
    found = []
    for lam, readings in zip(validation.lam[:JUDGED], validation.readings[:JUDGED], strict=True):
        values = readings.numpy().astype(np.float64).reshape(grid.shape)
        made = recover(values, grid, config.stated(), method=SPLINE, baseline=False)
        found.append(score(made.lam, lam.numpy()).relative)
    return float(np.mean(found))


def told(rows: list[Row]) -> list[str]:
    """A line per way, for people."""
    lines = []
    for row in rows:
        share = "" if row.mask is None or row.mask.all() else f"{100.0 * (~row.mask).mean():.0f} % masked"
        words = "" if row.score is None else row.score.words
        said = ", ".join(text for text in (words, share, f"{row.seconds:.3g} s") if text)
        why = f"; {row.why}" if row.why else ""
        mark = "".join(f"  <- {name}" for name, holds in _marks(row).items() if holds)
        lines.append(f"  {row.name:8} {said}{why}{mark}")
    return lines


def _marks(row: Row) -> dict[str, bool]:
    return {"recommended": row.recommended, "kept": row.kept}


def _by(method: str, case: Given, config: InverseSettings, grid: Grid) -> Callable[[], Row]:
    def way() -> Row:
        made = recover(case.values, grid, config.stated(), method=method, noise=case.noise, baseline=False)
        why = made.reason if method == AUTO else ""
        return Row(made.method, made.lam, made.low, made.high, made.mask, why=why, asked=method)

    return way


def _device(case: Given, made: store.Device) -> Row:
    """What the device would say of the readings."""
    with torch.no_grad():
        found = made.module(torch.from_numpy(case.values.astype(np.float32)).reshape(1, -1))
    lam, band = (np.asarray(t[0].numpy(), dtype=np.float64) for t in (found.lam, found.band))
    why = "" if np.isfinite(float(found.residual[0])) else "the least squares did not converge"
    return Row(DEVICE, lam, lam - band, lam + band, why=why)
