"""Waves in a zone of a plate from six source parameters: a field [T, Y, X] at once, by few numbers.

The data is made by finite elements (edgepde/problems/wave2d.py) or given by --data, see docs/factorconv_data.md.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from typing import Literal

import torch

from edgepde.errors import SettingError
from edgepde.factorconv import examples, forms, store
from edgepde.factorconv.description import Generator, Padding
from edgepde.factorconv.members import (
    NEAR,
    Member,
    choose,
    test_error,
    time_modes,
    told,
    train_decoder,
    train_generator,
)
from edgepde.factorconv.modulated import Modulated
from edgepde.factorconv.wave_settings import WaveSettings, about_data, read_data, told_problem, told_solution, zone_data
from edgepde.problems.zone import ZoneData
from edgepde.train.run_folder import Run
from edgepde.train.threads import threads

__all__ = ["Config", "read_data", "train"]
FASTER = 2.0
"""The modulated generator takes so much higher a rate."""
METHODS = {"auto": ("dense", "generator", "modulated", "decoder")}


@dataclass(frozen=True)
class Config(WaveSettings):
    """method: decoder, generator (factorised), modulated (factorised too, for few numbers) or dense (a generator); auto
    trains all four and takes that of the fewest numbers within 5 % of the dense one's validation error, or with
    max_parameters the best of at most so many.

    dimension: 2, time in channels, or 3. form, rank: of factorised kernels. width: channels. stages: grids, each twice
    as fine as the one before. modes: of the fixed time basis, -1 for as many as leave 0.5 %, 0 for none.

    And those of the data and the training: cases, nx, ny, nt, obstacle, gap, step, workers, validation, test, epochs,
    batch, rate, threads.
    """

    method: Literal["auto", "decoder", "generator", "modulated", "dense"] = "auto"
    max_parameters: int = 0
    dimension: Literal[2, 3] = 2
    form: str = "shared"
    rank: int | float | None = None
    width: int = 32
    kernel: int = 5
    stages: int = 2
    modes: int = -1
    padding: Padding = "replicate"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "stages"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if self.max_parameters < 0 or self.modes < -1:
            got = f"{self.max_parameters} and {self.modes}"
            raise SettingError(f"max_parameters, modes: expected at least 0 and -1, got {got}")
        if self.form not in forms.names():
            raise SettingError(f"form: expected one of {', '.join(forms.names())}, got {self.form!r}")
        if self.rank is not None and (self.rank <= 0 or (isinstance(self.rank, float) and self.rank > 1)):
            raise SettingError(f"rank: expected a number of at least 1 or a fraction up to 1, got {self.rank}")
        if self.form == "dense":
            raise SettingError("form: that of the factorised generator; expected a form, or --set method=dense")

    def quick(self) -> Config:
        """Small data, small networks."""
        return replace(super().quick(), width=12, kernel=3)

    def check_grid(self, grid: tuple[int, int, int]) -> None:
        """Raise SettingError where the grids of a generator do not end in this one."""
        zone = grid if self.dimension == 3 else grid[1:]
        if self.method != "decoder" and any(n % (1 << self.stages) for n in zone):
            raise SettingError(f"stages: {self.stages} need a zone divisible by {1 << self.stages}, got {zone}")

    def generator(self, data: ZoneData, form: str) -> Generator:
        """The generator of a zone."""
        t, y, x = data.grid
        zone = (t, y, x) if self.dimension == 3 else (y, x)
        factor = 1 << self.stages
        self.check_grid(data.grid)
        modes = 0 if self.dimension == 3 else time_modes(data.field) if self.modes < 0 else self.modes
        return Generator(
            kernel=self.kernel,
            padding=self.padding,
            form=form,
            rank=self.rank,
            parameters=len(data.names),
            times=t,
            rows=y,
            columns=x,
            dimension=self.dimension,
            hidden=(64, 16),
            coarse=tuple(n // factor for n in zone),
            channels=(self.width,) * self.stages,
            modes=modes,
        )

    def modulated(self, data: ZoneData) -> Modulated:
        """The modulated generator of the same grids and width; shared factors are of rank 2 width."""
        how, width = replace(self, dimension=2).generator(data, self.form), self.width
        return Modulated(
            kernel=how.kernel,
            padding=how.padding,
            form=how.form,
            rank=2 * width if how.form == "shared" and how.rank is None else how.rank,
            parameters=how.parameters,
            times=how.times,
            rows=how.rows,
            columns=how.columns,
            hidden=(2 * width, 2 * width),
            seeds=2 * width,
            coarse=how.coarse,
            channels=how.channels,
            modes=min(16, how.times),
        )


def train(config: Config, run: Run, device: torch.device) -> None:
    """Simulate or take the data, train what `method` names, keep one; the others' figures stay in the history."""
    began = time.monotonic()
    data = zone_data(config, run)
    parts = config.split(data, run.seed)
    with threads(config.threads):
        members = trained(config, parts[0], parts[1], run, device)
    best, why = choose(members, config.max_parameters)
    if len(members) > 1:
        print(f"kept: {best.name}, {best.parameters} numbers, {why}", file=sys.stderr)
    figures = {m.name: told(m, test_error(m.module, parts[2])) for m in members}
    made = store.Simulator(
        best.description,
        best.module,
        data.box,
        "parameters",
        data.field_name,
        data.field_unit,
        {"t": data.t, "y": data.y, "x": data.x},
        data.axis_units,
    )
    error = figures[best.name]["test"]
    history = {
        "data": about_data(data, parts),
        "members": list(figures.values()),
        "chosen": {"name": best.name, "why": why},
        "against_exact": {
            "solution": told_solution(run),
            "compared": error["cases"],
            "worst": error["sup"],
            "relative_mean": error["mean"],
            "relative_worst": error["worst"],
        },
        "frame_errors": examples.keep(run, made, parts[2]),
        "offline_seconds": time.monotonic() - began,
    }
    store.save(run, made, told_problem(data, run, "wave2d"), history)


def trained(config: Config, training: ZoneData, validation: ZoneData, run: Run, device: torch.device) -> list[Member]:
    """What the method names, trained one after the other."""
    made: list[Member] = []
    for kind in METHODS.get(config.method, (config.method,)):
        if kind == "decoder":
            dense = [m.validation for m in made if m.is_dense]
            enough = NEAR * min(dense) if dense else None
            made.append(train_decoder(training, validation, run, enough, config.max_parameters))
            continue
        how: Generator | Modulated
        name, fitting = f"{config.form}_{kind}", config.fit
        if kind == "modulated":
            how, fitting = config.modulated(training), replace(fitting, rate=FASTER * fitting.rate)
        elif kind == "dense":
            how, name = config.generator(training, "dense"), "dense_generator"
        else:
            how = config.generator(training, config.form)
        made.append(train_generator(name, how, training, validation, fitting, run, device))
    return made
