"""Training the network of a refined estimator on simulated draws."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, final

import torch
from torch import Tensor

from edgepde.train.device import stage_generator
from edgepde.train.run_folder import Run

from ..grid import Grid
from ..members.refined import Refined, RefinedModule
from .draws import Draws
from .figures import AT_ONCE

NAME, BATCH, EVERY = "refined", 16, 5


@final
@dataclass(frozen=True)
class Trained:
    """The module as of its best epoch on validation draws, that epoch, its mean relative error, seconds."""

    module: RefinedModule
    epoch: int
    error: float
    seconds: float


def refine(
    how: Refined,
    grid: Grid,
    training: Draws,
    validation: Draws,
    epochs: int,
    rate: float,
    run: Run,
    device: torch.device,
) -> Trained:
    """Adam with a cosine schedule on the mean squared error, draws turned over and around; resumes from the run."""
    torch.manual_seed(run.seed)
    module = how.build(grid)
    seen, truth = _features(module, training), _unit(module, training.lam).to(device)
    held, held_truth = _features(module, validation), _unit(module, validation.lam)
    module.to(device)
    seen, held = seen.to(device), held.to(device)
    weights = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(weights, rate)
    state = _State(error=_error(module, held, held_truth))
    best = _copied(module)
    kept = run.restore(NAME)
    if kept is not None:
        best = _resume(module, optimizer, state, *kept)
    began = time.monotonic() - state.seconds
    with run.progress(f"correcting network, {sum(p.numel() for p in weights)} numbers", epochs) as bar:
        for epoch in range(state.done, epochs):
            draw = stage_generator(run.seed, f"{NAME} {epoch}")
            for group in optimizer.param_groups:
                group["lr"] = 0.5 * rate * (1.0 + math.cos(math.pi * epoch / epochs))
            _epoch(module, optimizer, (seen, truth), draw)
            error = _error(module, held, held_truth)
            if error < state.error:
                state.error, state.epoch, best = error, epoch + 1, _copied(module)
            state.done, state.seconds = epoch + 1, time.monotonic() - began
            if state.done % EVERY == 0 or state.done == epochs:
                _save(run, module, optimizer, best, state)
            bar.update(epoch + 1)
            bar.note(f"relative error on validation draws {error:.4f}, best {state.error:.4f}")
    module.cpu().load_state_dict(best)
    return Trained(module.eval(), state.epoch, state.error, state.seconds)


def _epoch(
    module: RefinedModule, optimizer: torch.optim.Adam, data: tuple[Tensor, Tensor], draw: torch.Generator
) -> None:
    """Once through all draws, in an order of its own."""
    seen, truth = data
    for rows in torch.randperm(len(seen), generator=draw).split(BATCH):
        maps, wanted = _turned(seen[rows], truth[rows], draw)
        optimizer.zero_grad(set_to_none=True)
        loss = (_parts(module, maps) - wanted).square().mean()
        loss.backward()
        optimizer.step()


@final
@dataclass
class _State:
    error: float
    epoch: int = 0
    done: int = 0
    seconds: float = 0.0


def _features(module: RefinedModule, data: Draws) -> Tensor:
    with torch.no_grad():
        return torch.cat([module.features(part.readings) for part in data.split(AT_ONCE)])


def _unit(module: RefinedModule, lam: Tensor) -> Tensor:
    flat = lam if lam.dim() == 3 else lam[:, None]
    return (flat - module.middle) / module.span


def _parts(module: RefinedModule, maps: Tensor) -> Tensor:
    return (module.corrected(maps) - module.middle) / module.span


def _turned(maps: Tensor, wanted: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Both turned over along y and x, and y and x exchanged where they are as long, by chance."""
    flips = [d for d in (-1, -2) if maps.shape[d] > 1 and bool(torch.randint(2, (), generator=draw))]
    if flips:
        maps, wanted = maps.flip(flips), wanted.flip(flips)
    if maps.shape[-1] == maps.shape[-2] and bool(torch.randint(2, (), generator=draw)):
        maps, wanted = maps.transpose(-1, -2), wanted.transpose(-1, -2)
    return maps, wanted


def _error(module: RefinedModule, maps: Tensor, truth: Tensor) -> float:
    """The mean relative L2 error of lambda."""
    how = module.estimator.how
    with torch.no_grad():
        found = module.corrected(maps).clamp(how.low, how.high).cpu()
    wanted = module.middle + module.span * truth.cpu()
    return float(((found - wanted).flatten(1).norm(dim=1) / wanted.flatten(1).norm(dim=1).clamp(min=1e-30)).mean())


def _copied(module: RefinedModule) -> dict[str, Tensor]:
    return {name: t.detach().cpu().clone() for name, t in module.state_dict().items()}


def _save(
    run: Run, module: RefinedModule, optimizer: torch.optim.Adam, best: Mapping[str, Tensor], state: _State
) -> None:
    moments = {f"adam.{i}.{k}": t for i, s in optimizer.state_dict()["state"].items() for k, t in s.items()}
    now = {f"now.{k}": t for k, t in _copied(module).items()}
    run.save(NAME, {**now, **{f"best.{k}": t for k, t in best.items()}, **moments}, asdict(state))


def _resume(
    module: RefinedModule,
    optimizer: torch.optim.Adam,
    state: _State,
    tensors: Mapping[str, Tensor],
    meta: Mapping[str, Any],
) -> dict[str, Tensor]:
    """Put a checkpoint back; the weights of the best epoch."""

    def under(mark: str) -> dict[str, Tensor]:
        return {k.removeprefix(mark): t for k, t in tensors.items() if k.startswith(mark)}

    module.load_state_dict(under("now."))
    held = optimizer.state_dict()
    for name, t in under("adam.").items():
        number, key = name.split(".", 1)
        held["state"].setdefault(int(number), {})[key] = t
    optimizer.load_state_dict(held)
    state.error, state.seconds = float(meta["error"]), float(meta["seconds"])
    state.epoch, state.done = int(meta["epoch"]), int(meta["done"])
    return under("best.")
