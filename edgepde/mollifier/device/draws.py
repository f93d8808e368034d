"""Simulated draws of an inverse problem, kept in the run as they are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgepde.problems.inverse_case import Case
from edgepde.train.run_folder import Run

PART = 20
"""Draws that are saved together."""
APART = 1_000_000
"""Seeds of one run, of which draws for different ends take different ones."""
FIRST = {"given": 0, "validation": 1_000, "test": 10_000, "training": 100_000}


class Inverse(Protocol):
    """A problem of edgepde/problems whose cases are drawn by seed."""

    @property
    def axes(self) -> Mapping[str, NDArray[np.float64]]:
        """Letters to values, slowest first."""

    def case(self, seed: int, noise_seed: int | None = None) -> Case:
        """One draw."""


@final
@dataclass(frozen=True, eq=False)
class Draws:
    """lam [K, ..] and readings [K, n] float32, complete; a row per draw."""

    lam: Tensor
    readings: Tensor

    def __len__(self) -> int:
        return len(self.lam)

    def split(self, rows: int) -> Iterator[Draws]:
        """At most so many at once."""
        for lam, readings in zip(self.lam.split(rows), self.readings.split(rows), strict=True):
            yield Draws(lam, readings)


def seed_of(run_seed: int, end: str, number: int = 0) -> int:
    """The seed of a draw; ends never share one."""
    return APART * run_seed + FIRST[end] + number


def draws(problem: Inverse, count: int, end: str, run: Run) -> Draws:
    """`count` draws for one end, those that the run has already taken from there."""
    parts = []
    with run.progress(f"simulating {count} draws for {end}", count) as bar:
        for begin in range(0, count, PART):
            wanted = range(begin, min(begin + PART, count))
            parts.append(_part(problem, run, end, wanted))
            bar.update(wanted[-1] + 1)
    return Draws(torch.cat([p.lam for p in parts]), torch.cat([p.readings for p in parts]))


def _part(problem: Inverse, run: Run, end: str, wanted: range) -> Draws:
    name = f"{end}_{wanted[0] // PART}_{len(wanted)}"
    kept = run.restore(name)
    if kept is None:
        cases = [problem.case(seed_of(run.seed, end, number)) for number in wanted]
        lam, readings = (
            np.stack(v).astype(np.float32) for v in zip(*((c.lam, c.readings) for c in cases), strict=True)
        )
        kept = {"lam": torch.from_numpy(lam), "readings": torch.from_numpy(readings).flatten(1)}, {}
        run.save(name, *kept)
    return Draws(kept[0]["lam"], kept[0]["readings"])
