"""What every recipe on waves asks for: simulated or given data, split by case, and one network's training."""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from edgepde.errors import DataError, SettingError
from edgepde.problems.wave2d import Wave2D
from edgepde.problems.zone import ZoneData, read
from edgepde.train.layout import CHECKPOINT
from edgepde.train.run_folder import Run

from .training import Fit

PICTURE = "data.png"
SOLUTION = "finite elements on held-out cases"


@dataclass(frozen=True)
class WaveSettings:
    """cases: simulated, where there is no --data. nx, ny, nt, obstacle, gap, step: of the simulation (step 0: chosen).
    workers: processes, 0 for one per core. validation, test: cases held out of those there are. epochs, batch, rate,
    threads: of every training.
    """

    cases: int = 700
    nx: int = 32
    ny: int = 32
    nt: int = 32
    obstacle: Literal["inclusion", "hole"] = "inclusion"
    gap: float = 0.032
    step: float = 0.0
    workers: int = 0
    validation: int = 100
    test: int = 200
    epochs: int = 100
    batch: int = 10
    rate: float = 4e-3
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("cases", "validation", "test"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if self.workers < 0 or self.threads < 1:
            got = f"{self.workers} and {self.threads}"
            raise SettingError(f"workers, threads: expected at least 0 and 1, got {got}")
        _ = self.fit, self.wave

    def quick(self) -> Self:
        """A coarse simulation of few cases, few passes."""
        data = replace(self, cases=48, validation=8, test=8, nx=16, ny=16, nt=16, gap=0.05, workers=1)
        return replace(data, epochs=30, batch=8)

    @property
    def fit(self) -> Fit:
        """How every network is trained."""
        return Fit(self.epochs, self.batch, self.rate)

    @property
    def wave(self) -> Wave2D:
        """What is simulated."""
        return Wave2D(obstacle=self.obstacle, nx=self.nx, ny=self.ny, nt=self.nt, gap=self.gap, step=self.step)

    def check_grid(self, grid: tuple[int, int, int]) -> None:
        """Raise SettingError where the networks cannot have frames of this grid (T, Y, X); before it is simulated."""

    def split(self, data: ZoneData, seed: int) -> tuple[ZoneData, ZoneData, ZoneData]:
        """(training, validation, test); raises DataError where a part is empty, or the field is one number."""
        if data.field.min() == data.field.max():
            raise DataError(
                f"{data.source}: field: expected numbers that differ, got {data.field.flat[0]:g} everywhere"
            )
        return data.split(seed, self.test, self.validation)


def read_data(path: Path) -> tuple[ZoneData, str]:
    """What --data holds, an npz or a folder of results on meshes, and its sha256; DataError naming file and member."""
    from edgepde.problems.zone_meshes import read_folder

    if not path.exists():
        raise DataError(f"{path}: expected an npz file or a folder, there is none")
    data = read_folder(path) if path.is_dir() else read(path)
    return data, hashlib.sha256(data.encode()).hexdigest()


def zone_data(config: WaveSettings, run: Run) -> ZoneData:
    """The data given, or the simulated cases, which stay in the run's folder; a summary and a picture of them."""
    from edgepde.problems import wave_data, zone_plot

    folder = run.path / CHECKPOINT
    data = run.data
    if data is None:
        config.check_grid((config.nt, config.ny, config.nx))
        if config.cases <= config.test + config.validation:
            got = f"{config.cases}: test={config.test} and validation={config.validation} leave none to train on"
            raise SettingError(f"cases: expected more than are held out, got {got}")
        data = wave_data.cached(config.wave, config.cases, run.seed, folder, config.workers)
    if not isinstance(data, ZoneData):
        raise DataError(f"--data: expected zone data, got {type(data).__name__}")
    data.check_size()
    zone_plot.show(data, folder / PICTURE)
    print(f"  picture: {folder / PICTURE}", file=sys.stderr)
    return data


def told_problem(data: ZoneData, run: Run, name: str) -> dict[str, Any]:
    """What spec.json calls the problem: the simulation by its equation, data of one's own by its file."""
    if run.data is None:
        return {"name": name, "about": "u_tt = div(c^2 grad u) + source, a zone of it", "data": data.source}
    own = re.sub(r"[^A-Za-z0-9_]+", "_", Path(data.source).stem).strip("_") or "zone"
    return {"name": own if own[0].isalpha() else f"zone_{own}", "about": "data of one's own", "data": data.source}


def told_solution(run: Run) -> str:
    """What held-out values are."""
    return SOLUTION if run.data is None else "held-out cases of the data given"


def about_data(data: ZoneData, parts: tuple[ZoneData, ...]) -> dict[str, Any]:
    """What the history says of the data."""
    names = ("training", "validation", "test")
    return {"source": data.source, **{name: len(part) for name, part in zip(names, parts, strict=True)}}
