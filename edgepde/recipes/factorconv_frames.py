"""Waves on a plate, frame by frame: a U-Net turns the last frames into the next and is fed with its own.

Simulated is the whole plate after the source has ended, so that frames hold all that the next ones depend on.
`edgepde run BUNDLE --steps N` rolls it out on the device.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from edgepde_runtime.box import Box

from edgepde.errors import SettingError
from edgepde.factorconv import examples, store
from edgepde.factorconv.description import Padding, UNet
from edgepde.factorconv.store import parameters_of
from edgepde.factorconv.tasks import FramesTask, Unrolled, rolled, rollout_errors
from edgepde.factorconv.training import Fit, fit
from edgepde.factorconv.unet import UNetModule
from edgepde.factorconv.wave_settings import WaveSettings, about_data, read_data, told_problem, told_solution, zone_data
from edgepde.problems.wave2d import Wave2D
from edgepde.problems.zone import ZoneData
from edgepde.train.run_folder import Run
from edgepde.train.threads import threads

__all__ = ["Config", "read_data", "train"]
ROOM = 1.25
PLATE, AFTER = (0.0, 1.0), (0.85, 1.75)


@dataclass(frozen=True)
class Config(WaveSettings):
    """past, future: frames in and out. form, rank: of the kernels, dense too. width: channels of the finest grid, half
    as many again on each of `levels` coarser ones. unroll: steps a loss looks ahead. noise: added to what goes in, in
    parts of its size. windows: drawn from each case in every epoch. order, direct: what the network adds to.

    And those of the data and the training: cases, nx, ny, nt, obstacle, gap, step, workers, validation, test, epochs,
    batch, rate, threads.
    """

    past: int = 4
    future: int = 1
    form: str = "shared"
    rank: int | float | None = None
    width: int = 24
    levels: int = 3
    kernel: int = 3
    padding: Padding = "reflect"
    order: int = 0
    direct: int = 7
    unroll: int = 4
    noise: float = 0.005
    windows: int = 2
    epochs: int = 60
    batch: int = 8
    rate: float = 3e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("past", "future", "width", "levels", "unroll", "windows"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if not 0.0 <= self.noise < 1.0:
            raise SettingError(f"noise: expected 0 to 1, got {self.noise}")

    def quick(self) -> Config:
        """Small data, a small network."""
        return replace(super().quick(), width=8, levels=2, epochs=12, windows=4)

    @property
    def wave(self) -> Wave2D:
        """What is simulated: the whole plate."""
        zone = Wave2D(zone_x=PLATE, zone_y=PLATE, zone_t=AFTER)
        how = replace(zone, obstacle=self.obstacle, nx=self.nx, ny=self.ny, nt=self.nt)
        return replace(how, gap=self.gap, step=self.step)

    def check_grid(self, grid: tuple[int, int, int]) -> None:
        """Raise SettingError for too few frames."""
        needed = self.past + self.unroll * self.future
        if grid[0] < needed:
            raise SettingError(f"t: expected at least {needed} frames for past, future and unroll, got {grid[0]}")

    def unet(self, data: ZoneData) -> UNet:
        """The U-Net of a zone; raises SettingError for too few frames."""
        self.check_grid(data.grid)
        _, y, x = data.grid
        return UNet(
            kernel=self.kernel,
            padding=self.padding,
            form=self.form,
            rank=self.rank,
            past=self.past,
            future=self.future,
            rows=y,
            columns=x,
            channels=tuple(self.width + self.width * level // 2 for level in range(self.levels)),
            order=self.order,
            direct=self.direct,
        )


def train(config: Config, run: Run, device: torch.device) -> None:
    """Simulate or take the data, train the U-Net on rollouts, keep the weights whose whole rollouts are best."""
    began = time.monotonic()
    data = zone_data(config, run)
    parts = config.split(data, run.seed)
    how = config.unet(data)
    module = how.seeded(run.seed)
    assert isinstance(module, UNetModule)
    module.fit_scales(data.low, data.high, parts[0].field)
    module.to(device)
    ahead = Unrolled(config.epochs, config.unroll, config.noise, config.windows)
    task = FramesTask(parts[0], parts[1], how.past, how.future, ahead, run.seed, device)
    fitting = Fit(config.epochs, config.batch, config.rate)
    label = f"{how.form} U-Net, {parameters_of(module)} numbers"
    with threads(config.threads):
        done = fit(module, task, fitting, run, "unet", run.seed, label=label)
    module.cpu()
    step = data.t[1] - data.t[0]
    axes = {"t": step * np.arange(1, how.future + 1), "y": data.y, "x": data.x}
    made = store.Simulator(
        how, module, frames_box(data, how), "frames", data.field_name, data.field_unit, axes, data.axis_units
    )
    frame_errors = examples.keep(run, made, parts[2])
    history = {
        "data": about_data(data, parts),
        "members": [
            {"name": "unet", "parameters": made.parameters, "validation": done.best, "seconds": done.seconds}
            | {"epochs": config.epochs, "best_epoch": done.epoch, "grown": done.grown, "errors": done.errors}
        ],
        "against_exact": {"solution": f"{told_solution(run)}, one step", **against_exact(module, how, parts[2])},
        "frame_errors": frame_errors,
        "offline_seconds": time.monotonic() - began,
    }
    store.save(run, made, told_problem(data, run, "wave2d_frames"), history)


def frames_box(data: ZoneData, how: UNet) -> Box:
    """Every value of every past frame in the range of the data, with some room for rollouts."""
    most = ROOM * float(np.abs(data.field).max())
    names = [
        f"{data.field_name}{k}_{j}_{i}" for k in range(how.past) for j in range(how.rows) for i in range(how.columns)
    ]
    return Box([-most] * how.inputs, [most] * how.inputs, names, [data.field_unit] * how.inputs)


def against_exact(module: torch.nn.Module, how: UNet, test: ZoneData) -> dict[str, float | int]:
    """One step from true frames, wherever they are in time, and whole rollouts from the first frames."""
    u = torch.from_numpy(test.field)
    worst, squares, size = 0.0, 0.0, 0.0
    for start in range(u.shape[1] - how.past - how.future + 1):
        wanted = u[:, start + how.past : start + how.past + how.future]
        with torch.no_grad():
            wrong = rolled(module, u[:, start : start + how.past], 1) - wanted
        worst = float(np.maximum(worst, float(wrong.abs().max())))
        squares, size = squares + float(wrong.square().sum()), size + float(wanted.square().sum())
    errors = rollout_errors(module, u, how.past, how.future)
    return {
        "compared": len(test),
        "worst": worst,
        "relative_mean": (squares / size) ** 0.5,
        "rollout_mean": float(np.mean(errors)),
        "rollout_worst": max(errors),
    }
