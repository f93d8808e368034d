"""Training a simulator: AdamW under one cycle of its rate, minibatches, the best weights on validation data kept."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from edgepde.errors import SettingError, TrainingError
from edgepde.train.device import stage_generator
from edgepde.train.progress import progress
from edgepde.train.run_folder import Run

from .norms import degeneracy_penalty, layers

SECONDS_BETWEEN_SAVES = 10.0
WARM, FIRST, LAST = 0.15, 1.0 / 25.0, 1e-3
MOMENTS = ("exp_avg", "exp_avg_sq", "step")
GROWN = 2.0
DEGENERACY = 0.1
"""Weight of what terms of a factorised kernel that cancel are charged."""


@dataclass(frozen=True)
class Fit:
    """epochs: passes over the training cases. batch: cases per step. rate: highest of the cycle. decay: AdamW's.

    clip: largest norm of a step's slope.
    """

    epochs: int = 100
    batch: int = 16
    rate: float = 4e-3
    decay: float = 1e-4
    clip: float = 1.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("rate", "clip"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise SettingError(f"{name}: expected a number above 0, got {getattr(self, name)}")
        if not (math.isfinite(self.decay) and self.decay >= 0):
            raise SettingError(f"decay: expected a number of at least 0, got {self.decay}")

    def rate_at(self, share: float) -> float:
        """The rate when `share` of all steps is done: a cosine up from rate/25, then one down to rate/1000."""
        low, at = (FIRST, share / WARM) if share < WARM else (LAST, 1.0 - (share - WARM) / (1.0 - WARM))
        return self.rate * (low + (1.0 - low) * 0.5 * (1.0 - math.cos(math.pi * at)))


class Task(ABC):
    """What is learned: `size` training cases, the loss on some of them, the error on validation data."""

    size: int

    @abstractmethod
    def loss(self, module: nn.Module, rows: Tensor, epoch: int) -> Tensor:
        """The mean loss of some cases [n]."""

    @abstractmethod
    def error(self, module: nn.Module) -> float:
        """The validation error."""


@final
@dataclass
class Fitted:
    """What came of a training: the best weights' validation error and epoch, the error of each epoch, seconds spent.

    grown: the first epoch whose error was more than twice the best before it, None where there was none.
    """

    best: float = math.inf
    epoch: int = 0
    errors: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()
    seconds: float = 0.0
    grown: int | None = None


def relative(found: Tensor, wanted: Tensor, floor: float = 0.0) -> Tensor:
    """|found - wanted|_2 / |wanted|_2 of each case [B]; norms below `floor` count as it."""
    axes = tuple(range(1, wanted.dim()))
    return (found - wanted).square().sum(axes).sqrt() / wanted.square().sum(axes).sqrt().clamp(min=max(floor, 1e-30))


def fit(
    module: nn.Module,
    task: Task,
    how: Fit,
    run: Run | None,
    name: str,
    seed: int,
    after_step: Callable[[nn.Module], None] | None = None,
    label: str = "",
) -> Fitted:
    """Train a module in place and leave it with its best weights, in evaluation mode.

    name: of the checkpoint and of everything random. An interrupted training resumes bit for bit.
    Raises TrainingError where the loss is not finite.
    """
    optimizer = torch.optim.AdamW(module.parameters(), how.rate, weight_decay=how.decay)
    state = Fitted()
    best = _copied(module)
    kept = run.restore(name) if run is not None else None
    if kept is not None:
        best = _resume(module, optimizer, state, *kept)
    steps = math.ceil(task.size / how.batch)
    began, saved = time.monotonic() - state.seconds, time.monotonic()
    with progress(label or name, how.epochs) as bar:
        for epoch in range(len(state.errors), how.epochs):
            loss = _epoch(
                module, task, how, optimizer, epoch, steps, stage_generator(seed, f"{name} {epoch}"), after_step
            )
            if _judge(state, task, module, epoch, loss):
                best = _copied(module)
            state.seconds = time.monotonic() - began
            bar.update(epoch + 1)
            bar.note(_said(state))
            if run is not None and (epoch + 1 == how.epochs or time.monotonic() - saved > SECONDS_BETWEEN_SAVES):
                run.save(name, _parts(module, optimizer, best), asdict(state))
                saved = time.monotonic()
    module.load_state_dict(best)
    module.eval()
    return state


def _epoch(
    module: nn.Module,
    task: Task,
    how: Fit,
    optimizer: torch.optim.Optimizer,
    epoch: int,
    steps: int,
    draw: torch.Generator,
    after_step: Callable[[nn.Module], None] | None,
) -> float:
    module.train()
    factored = bool(layers(module))
    total, order = 0.0, torch.randperm(task.size, generator=draw)
    for step, rows in enumerate(order.split(how.batch)):
        share = (epoch * steps + step) / max(1, how.epochs * steps - 1)
        for group in optimizer.param_groups:
            group["lr"] = how.rate_at(share)
        optimizer.zero_grad(set_to_none=True)
        loss = task.loss(module, rows, epoch)
        (loss + DEGENERACY * degeneracy_penalty(module) if factored else loss).backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), how.clip)
        optimizer.step()
        if after_step is not None:
            after_step(module)
        total += float(loss.detach()) * len(rows)
    return total / task.size


def _judge(state: Fitted, task: Task, module: nn.Module, epoch: int, loss: float) -> bool:
    """Take note of an epoch; whether its weights are the best so far."""
    module.eval()
    with torch.no_grad():
        error = task.error(module)
    if not math.isfinite(loss):
        raise TrainingError(
            f"epoch {epoch + 1}: the loss is {loss}; a lower --set rate helps (best error before: {state.best:.3g})"
        )
    is_best = error < state.best
    if state.grown is None and not error <= GROWN * state.best:
        state.grown = epoch + 1
    if is_best:
        state.best, state.epoch = error, epoch + 1
    state.errors, state.losses = (*state.errors, error), (*state.losses, loss)
    return is_best


def _said(state: Fitted) -> str:
    text = f"validation error {state.errors[-1]:.4f}, best {state.best:.4f} in epoch {state.epoch}"
    if state.errors[-1] > GROWN * state.best:
        text += "; it grows: the best weights are kept"
    return text


def _parts(module: nn.Module, optimizer: torch.optim.Optimizer, best: Mapping[str, Tensor]) -> dict[str, Tensor]:
    made = {f"now.{k}": t for k, t in module.state_dict().items()} | {f"best.{k}": t for k, t in best.items()}
    for place, (_, held) in enumerate(module.named_parameters()):
        made |= {f"adam.{place}.{m}": optimizer.state[held][m] for m in MOMENTS if m in optimizer.state[held]}
    return made


def _resume(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: Fitted,
    tensors: Mapping[str, Tensor],
    meta: Mapping[str, Any],
) -> dict[str, Tensor]:
    """Put a checkpoint back; the best weights."""
    device = next(module.parameters()).device
    sides: dict[str, dict[str, Tensor]] = {"now": {}, "best": {}, "adam": {}}
    for key, tensor in tensors.items():
        side, name = key.split(".", 1)
        sides[side][name] = tensor
    module.load_state_dict(sides["now"])
    for place, held in enumerate(module.parameters()):
        moments = {m: sides["adam"][f"{place}.{m}"] for m in MOMENTS if f"{place}.{m}" in sides["adam"]}
        optimizer.state[held] = {m: t if m == "step" else t.to(device) for m, t in moments.items()}
    for key, value in meta.items():
        setattr(state, key, tuple(value) if isinstance(value, list) else value)
    return {k: t.to(device) for k, t in sides["best"].items()}


def _copied(module: nn.Module) -> dict[str, Tensor]:
    return {name: t.detach().clone() for name, t in module.state_dict().items()}
