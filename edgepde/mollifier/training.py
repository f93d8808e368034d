"""Training a host on sparse, noisy readings and on its PDE residual, with an unknown coefficient.

    loss = mean (u - readings)^2 / noise^2 + weight * mean residual^2 / scale^2 + roughness of lambda

First the readings alone; then rounds in which the weight of the PDE grows. A coefficient in which the residual is
linear is eliminated: at every step it is the least squares solution for the field as it stands (variable projection).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, final

import torch
from torch import Tensor

from edgepde.errors import SettingError, TrainingError
from edgepde.train.progress import progress
from edgepde.train.run_folder import Run

from .coefficient import Coefficient
from .derivator import Derivator
from .hosts._host import Host
from .objective import Objective, Residual
from .readings import Readings

MEMORY = 50
"""Pairs of steps and slopes that L-BFGS remembers."""


@dataclass(frozen=True)
class Fit:
    """readings_rounds: rounds on the readings alone; rounds: those with the PDE after them; steps: of each round.

    weight, growth: of the PDE in the first round and from round to round; 1 counts a residual as large as its largest
    part like a misfit of the noise. optimizer: lbfgs or adam. rate: Adam's. held: share of the readings kept to judge
    by. edge: rows at each end of every axis whose residual does not count. eliminate: solve for lambda at every step
    where the residual is linear in it.
    """

    readings_rounds: int = 4
    rounds: int = 8
    steps: int = 100
    weight: float = 1.0
    growth: float = 3.0
    optimizer: Literal["lbfgs", "adam"] = "lbfgs"
    rate: float = 3e-3
    held: float = 0.1
    edge: int = 0
    eliminate: bool = True

    def __post_init__(self) -> None:
        for name, least in (("readings_rounds", 1), ("rounds", 0), ("steps", 1), ("edge", 0)):
            if getattr(self, name) < least:
                raise SettingError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        for name in ("weight", "growth", "rate"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise SettingError(f"{name}: expected a number above 0, got {getattr(self, name)}")
        if not 0 < self.held < 1:
            raise SettingError(f"held: expected a share between 0 and 1, got {self.held}")
        if self.optimizer not in ("lbfgs", "adam"):
            raise SettingError(f"optimizer: expected lbfgs or adam, got {self.optimizer!r}")


@final
@dataclass(frozen=True)
class Fitted:
    """A trained host and coefficient, and what happened: history, one entry per round, and which round was kept."""

    host: Host
    coefficient: Coefficient
    history: tuple[Mapping[str, Any], ...]
    kept: int


@final
@dataclass
class _State:
    """noise: of the readings, scale: of the residual's parts, both as known after the readings alone."""

    noise: float = 1.0
    scale: float = 1.0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


def fit(
    host: Host,
    coefficient: Coefficient,
    derivator: Derivator,
    residual: Residual,
    readings: Readings,
    how: Fit,
    run: Run | None = None,
    name: str = "mollifier",
    seed: int = 0,
) -> Fitted:
    """Train host and coefficient in place, leave them as after the round that is kept, and say what happened.

    Kept is the last round with the PDE whose error on held readings is within one standard deviation of the best. Every
    round is a checkpoint of that name in `run`; an interrupted training resumes after the last.
    Raises TrainingError, with round and step, where the loss is not finite.
    """
    readings.inside(derivator.grid)
    work = Objective(host, coefficient, derivator, residual, readings.split(how.held, seed), how.edge, how.eliminate)
    state, best, first = _State(), copied(host, coefficient), 0
    restored = run.restore(name) if run is not None else None
    if restored is not None:
        first, best = _resume(work, state, *restored)
    began = time.monotonic() - state.seconds
    total = how.readings_rounds + how.rounds
    with progress(name, total) as bar:
        for number in range(first, total):
            entry = _round(work, how, state, number)
            state.history.append({**entry, "seconds": time.monotonic() - began})
            if kept(state.history, work.held_count) == number:
                best = copied(host, coefficient)
            state.seconds = time.monotonic() - began
            if run is not None:
                run.save(name, _parts(host, coefficient, best), {**asdict(state), "round": number + 1})
            bar.update(number + 1)
            bar.note(_said(entry))
    put(best, host, coefficient)
    return Fitted(host, coefficient, tuple(state.history), kept(state.history, work.held_count))


def _round(work: Objective, how: Fit, state: _State, number: int) -> dict[str, Any]:
    """One round with a fresh optimizer; its figures."""
    at = number - how.readings_rounds
    weight = how.weight * how.growth**at if at >= 0 else 0.0
    if at == 0:
        state.noise = max(min(entry["held"] for entry in state.history), 1e-300)
        state.scale = work.begin()
    loss = _descend(work, how, state, number, weight)
    return {"round": number, "weight": weight, "loss": loss, "held": work.judge()}


def _descend(work: Objective, how: Fit, state: _State, number: int, weight: float) -> float:
    optimizer = _optimizer(work.moved(weight), how)
    last, count = math.nan, 0

    def closure() -> float:
        nonlocal last, count
        count += 1
        optimizer.zero_grad(set_to_none=True)
        loss = work.loss(weight, state.noise, state.scale)
        last = float(loss.detach())
        if not math.isfinite(last):
            where = f"round {number + 1}, step {count}"
            raise TrainingError(f"{where}: the loss is {last}; a smaller --set weight or rate helps")
        loss.backward()
        return last

    for _ in range(1 if how.optimizer == "lbfgs" else how.steps):
        optimizer.step(closure)
    return last


def _optimizer(moved: list[torch.nn.Parameter], how: Fit) -> torch.optim.Optimizer:
    if how.optimizer == "adam":
        return torch.optim.Adam(moved, how.rate)
    return torch.optim.LBFGS(
        moved, max_iter=how.steps, max_eval=2 * how.steps, history_size=MEMORY,
        tolerance_grad=0.0, tolerance_change=0.0, line_search_fn="strong_wolfe",
    )  # fmt: skip


def kept(history: Sequence[Mapping[str, Any]], held: int) -> int:
    """The last round with the PDE whose error on `held` readings is within one standard deviation of the best such;
    of all rounds where there are none with the PDE.
    """
    places = [place for place, entry in enumerate(history) if entry["weight"] > 0] or list(range(len(history)))
    limit = min(history[place]["held"] for place in places) * (1.0 + 1.0 / math.sqrt(2.0 * held))
    return max(place for place in places if history[place]["held"] <= limit)


def _said(entry: Mapping[str, Any]) -> str:
    return f"loss {entry['loss']:.3g}, held readings {entry['held']:.3g}, weight of the PDE {entry['weight']:.3g}"


def copied(*modules: torch.nn.Module) -> dict[str, Tensor]:
    """The weights of some modules."""
    return {
        f"{place}.{name}": t.detach().clone() for place, m in enumerate(modules) for name, t in m.state_dict().items()
    }


def put(weights: Mapping[str, Tensor], *modules: torch.nn.Module) -> None:
    """Put back what `copied` gave."""
    for place, module in enumerate(modules):
        mark = f"{place}."
        module.load_state_dict({k.removeprefix(mark): t for k, t in weights.items() if k.startswith(mark)})


def _parts(host: Host, coefficient: Coefficient, best: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"now.{k}": t for k, t in copied(host, coefficient).items()} | {f"best.{k}": t for k, t in best.items()}


def _resume(
    work: Objective, state: _State, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]
) -> tuple[int, dict[str, Tensor]]:
    """Put a checkpoint back: the round that comes next, the weights of the round kept so far."""
    sides = {s: {k.split(".", 1)[1]: t for k, t in tensors.items() if k.startswith(f"{s}.")} for s in ("now", "best")}
    put(sides["now"], work.host, work.coefficient)
    state.noise, state.scale, state.seconds = (float(meta[k]) for k in ("noise", "scale", "seconds"))
    state.history = [dict(entry) for entry in meta["history"]]
    return int(meta["round"]), sides["best"]
