"""What simulators learn: fields of parameters, frames of frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from edgepde.problems.zone import ZoneData
from edgepde.train.device import stage_generator

from .training import Task, relative

QUIET = 1e-2
"""A case whose norm is below this share of the typical one counts as if it had that much."""
AT_ONCE = 64


@final
class FieldTask(Task):
    """Parameters -> field: the mean relative L2 error of a case over the whole zone."""

    def __init__(self, train: ZoneData, validation: ZoneData, device: torch.device) -> None:
        self.size = len(train)
        self.x, self.u = _pair(train, device)
        self.held_x, self.held_u = _pair(validation, device)
        self.floor = QUIET * float(self.u.square().sum((1, 2, 3)).mean().sqrt())

    def loss(self, module: nn.Module, rows: Tensor, epoch: int) -> Tensor:  # noqa: ARG002 - the same in every epoch
        """The mean relative L2 error."""
        return relative(module(self.x[rows]), self.u[rows], self.floor).mean()

    def error(self, module: nn.Module) -> float:
        """The mean relative L2 error on validation cases."""
        return float(relative(predicted(module, self.held_x), self.held_u, self.floor).mean())


@final
@dataclass(frozen=True)
class Unrolled:
    """unroll: steps a loss looks ahead after half the epochs. noise: added to frames, in parts of their size.

    windows: drawn from each case in every epoch.
    """

    epochs: int
    unroll: int = 4
    noise: float = 0.01
    windows: int = 4

    def steps(self, epoch: int) -> int:
        """Steps in an epoch."""
        return 1 + min(self.unroll - 1, int(2 * self.unroll * epoch / max(1, self.epochs)))


@final
class FramesTask(Task):
    """k frames -> the next, fed back: windows that start anywhere; validation is the whole rollout from the first k."""

    def __init__(
        self,
        train: ZoneData,
        validation: ZoneData,
        past: int,
        future: int,
        how: Unrolled,
        seed: int,
        device: torch.device,
    ) -> None:
        self.size = len(train) * how.windows
        self.u, self.held = (torch.from_numpy(part.field).to(device) for part in (train, validation))
        self.past, self.future, self.how, self.seed = past, future, how, seed
        self.rms = float(self.u.square().mean().sqrt())

    def loss(self, module: nn.Module, rows: Tensor, epoch: int) -> Tensor:
        """The mean relative L2 error of the frames predicted, from windows drawn for this epoch."""
        steps = self.how.steps(epoch)
        span = self.past + steps * self.future
        draw = stage_generator(self.seed, f"windows {epoch} {int(rows[0])}")
        starts = torch.randint(0, self.u.shape[1] - span + 1, (len(rows),), generator=draw)
        cases = (rows % len(self.u)).tolist()
        window = torch.stack([self.u[r, s : s + span] for r, s in zip(cases, starts.tolist(), strict=True)])
        given = window[:, : self.past]
        noise = torch.randn(given.shape, generator=draw).to(given)
        found = rolled(module, given + self.how.noise * self.rms * noise, steps)
        wanted = window[:, self.past :]
        floor = 0.1 * self.rms * wanted[0].numel() ** 0.5
        return relative(found, wanted, floor).mean()

    def error(self, module: nn.Module) -> float:
        """The mean relative L2 error of whole rollouts on validation cases."""
        return float(np.mean(rollout_errors(module, self.held, self.past, self.future)))


def rolled(module: nn.Module, frames: Tensor, steps: int) -> Tensor:
    """Frames [B, k, Y, X] -> the next steps j frames [B, steps j, Y, X], the module fed with its own."""
    made: list[Tensor] = []
    past = frames.shape[1]
    for _ in range(steps):
        new = module(frames.reshape(len(frames), -1))
        made.append(new)
        frames = torch.cat([frames, new], dim=1)[:, -past:]
    return torch.cat(made, dim=1)


def rollout_errors(module: nn.Module, field: Tensor, past: int, future: int) -> list[float]:
    """Relative L2 error of each case's rollout from its first `past` frames; a rollout that blows up counts as 1e6."""
    steps = (field.shape[1] - past) // future
    wanted = field[:, past : past + steps * future]
    floor = QUIET * float(wanted.square().sum((1, 2, 3)).mean().sqrt())
    with torch.no_grad():
        found = torch.cat([rolled(module, part[:, :past], steps) for part in field.split(AT_ONCE)])
    errors: list[float] = relative(found, wanted, floor).nan_to_num(1e6, 1e6).clamp(max=1e6).tolist()
    return errors


def predicted(module: nn.Module, x: Tensor) -> Tensor:
    """The fields of many cases, some at a time, without slopes."""
    with torch.no_grad():
        return torch.cat([module(part) for part in x.split(AT_ONCE)])


def _pair(data: ZoneData, device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(data.parameters).float().to(device), torch.from_numpy(data.field).to(device)
