"""Waves in a zone of a plate from six source parameters: a field [T, Y, X] at once, by few numbers.

The data is made by finite elements (edgepde/problems/wave2d.py) or given: --data FILE.npz, see docs/factorconv_data.md.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from edgepde.errors import DataError, SettingError
from edgepde.factorconv import store
from edgepde.factorconv.description import Generator, Padding
from edgepde.factorconv.members import Member, choose, test_error, time_modes, told, train_generator
from edgepde.factorconv.training import Fit
from edgepde.problems.wave2d import Wave2D
from edgepde.problems.zone import ZoneData, read
from edgepde.train.run_folder import Run

SOLUTION = "finite elements on held-out cases"
Method = Literal["auto", "decoder", "generator", "dense"]


@dataclass(frozen=True)
class Config:
    """cases: simulated, of which `validation` and `test` are held out. nx, ny, nt, obstacle, gap: of the simulation.

    data: a file instead of --data. method: decoder, generator (factorised) or dense; auto trains all three and takes
    the one of the fewest numbers within 5 % of the dense one's validation error, or with max_parameters the best of at
    most so many. dimension: 2, time in channels, or 3. form, rank: of factorised kernels. width: channels. modes: of
    the fixed time basis, -1 for as many as leave 0.5 %, 0 for none. epochs, batch, rate: of every training.
    """

    data: str = ""
    cases: int = 400
    validation: int = 50
    test: int = 50
    nx: int = 32
    ny: int = 32
    nt: int = 32
    obstacle: Literal["inclusion", "hole"] = "inclusion"
    gap: float = 0.032
    method: Method = "auto"
    max_parameters: int = 0
    dimension: Literal[2, 3] = 2
    form: str = "shared"
    rank: int | float | None = None
    width: int = 32
    kernel: int = 5
    stages: int = 2
    modes: int = -1
    padding: Padding = "replicate"
    epochs: int = 150
    batch: int = 10
    rate: float = 4e-3

    def __post_init__(self) -> None:
        for name in ("cases", "validation", "test", "width", "stages"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if self.max_parameters < 0 or self.modes < -1:
            got = f"{self.max_parameters} and {self.modes}"
            raise SettingError(f"max_parameters, modes: expected at least 0 and -1, got {got}")
        if self.form == "dense" and self.method == "generator":
            raise SettingError("form: method=generator is the factorised one; expected a form, or method=dense")
        _ = self.fit, self.wave

    def quick(self) -> Config:
        """A coarse simulation, few cases, few passes."""
        return replace(
            self, cases=40, validation=6, test=6, nx=16, ny=16, nt=16, gap=0.05, width=12, kernel=3, epochs=30, batch=7
        )

    @property
    def fit(self) -> Fit:
        """How every member is trained."""
        return Fit(self.epochs, self.batch, self.rate)

    @property
    def wave(self) -> Wave2D:
        """What is simulated."""
        return Wave2D(obstacle=self.obstacle, nx=self.nx, ny=self.ny, nt=self.nt, gap=self.gap)

    def generator(self, data: ZoneData, form: str) -> Generator:
        """The generator for a zone; its first grid is the zone's, halved `stages` times, in whole cells."""
        t, y, x = data.grid
        zone = (t, y, x) if self.dimension == 3 else (y, x)
        factor = 1 << self.stages
        if any(n % factor for n in zone):
            raise SettingError(f"stages: {self.stages} halvings need a zone divisible by {factor}, got {zone}")
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


def read_data(path: Path) -> tuple[ZoneData, str]:
    """What --data holds, and its sha256. Raises DataError naming file and member."""
    data = read(path)
    return data, hashlib.sha256(data.encode()).hexdigest()


def train(config: Config, run: Run, device: torch.device) -> None:
    """Simulate or take the data, train the members that `method` names, keep one; the others' figures are kept too."""
    began = time.monotonic()
    data = zone_data(config, run)
    training, validation, test = data.split(run.seed, config.test, config.validation)
    members = trained(config, training, validation, run, device)
    best, why = choose(members, config.max_parameters)
    figures = [told(m, test_error(m.module, test)) for m in members]
    mine = next(f for f in figures if f["name"] == best.name)["test"]
    simulator = store.Simulator(
        best.description,
        best.module,
        data.box,
        "parameters",
        data.field_name,
        data.field_unit,
        {"t": data.t, "y": data.y, "x": data.x},
        data.axis_units,
    )
    store.save(
        run,
        simulator,
        {"name": "wave2d", "about": "u_tt = div(c^2 grad u), a zone of it", "data": data.source},
        {
            "offline_seconds": time.monotonic() - began,
            "cases": {"training": len(training), "validation": len(validation), "test": len(test)},
            "members": figures,
            "chosen": {"name": best.name, "why": why},
            "against_exact": {
                "solution": SOLUTION,
                "compared": mine["cases"],
                "worst": mine["sup"],
                "relative_mean": mine["mean"],
                "relative_worst": mine["worst"],
            },
        },
    )


def zone_data(config: Config, run: Run) -> ZoneData:
    """What --data or `data` gave, or the simulated cases."""
    if isinstance(run.data, ZoneData):
        return run.data
    if config.data:
        return read(Path(config.data))
    from edgepde.problems.wave2d import generate

    return generate(config.wave, config.cases, run.seed)


def trained(config: Config, training: ZoneData, validation: ZoneData, run: Run, device: torch.device) -> list[Member]:
    """The members that the method names."""
    made: list[Member] = []
    forms = {"auto": ("dense", config.form), "dense": ("dense",), "generator": (config.form,), "decoder": ()}
    for form in forms[config.method]:
        how = config.generator(training, form)
        name = "dense generator" if form == "dense" else f"{form} generator"
        made.append(train_generator(name.replace(" ", "_"), how, training, validation, config.fit, run, device))
    if not made:
        raise DataError("method: nothing to train")
    return made
