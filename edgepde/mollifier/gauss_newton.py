"""Gauss-Newton on a Tucker host's core and a coefficient at once, its networks held as they are.

    min  mean (u - readings)^2 / noise^2 + weight * mean residual^2 / scale^2,   u linear in the core

The Jacobian is never made: with tables A of the slowest axis and products M of the others, J^T J is a sum of
Kronecker products, one per row of that axis.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from torch import Tensor

from edgepde.errors import SettingError, TrainingError
from edgepde.train.progress import progress
from edgepde.train.run_folder import Run

from .coefficient import Coefficient
from .derivator import Derivator, Fields
from .grid import Grid
from .hosts.tucker import Tucker
from .names import TIME
from .objective import Residual
from .training import Fitted, copied, kept, put

TRIALS, LARGER, SMALLER = 8, 8.0, 0.3
FIRST_DAMPING, LEAST_DAMPING = 1e-6, 1e-12
IN_TIME, IN_SPACE, ON_LINES = 6, 20, 48


@dataclass(frozen=True)
class Newton:
    """rounds: with the PDE, after one on the readings alone; steps: of each. weight, growth, held, edge: as of Fit.

    ridge: of the core, against the mean of the normal matrix's diagonal.
    """

    rounds: int = 10
    steps: int = 4
    weight: float = 1.0
    growth: float = 4.0
    held: float = 0.1
    edge: int = 0
    ridge: float = 1e-9

    def __post_init__(self) -> None:
        for name, least in (("rounds", 0), ("steps", 1), ("edge", 0)):
            if getattr(self, name) < least:
                raise SettingError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        for name in ("weight", "growth", "ridge"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise SettingError(f"{name}: expected a number above 0, got {getattr(self, name)}")
        if not 0 < self.held < 1:
            raise SettingError(f"held: expected a share between 0 and 1, got {self.held}")


def ranks(grid: Grid) -> list[int]:
    """Outputs per axis of a host for fields as smooth as those of the problems here: few in time beside space."""
    if len(grid.axes) == 1:
        return [min(ON_LINES, grid.points // 3)]
    return [min(IN_TIME if axis.name == TIME else IN_SPACE, axis.size // 2) for axis in grid.axes]


def solve(
    host: Tucker,
    coefficient: Coefficient,
    derivator: Derivator,
    residual: Residual,
    values: NDArray[np.float64],
    how: Newton,
    run: Run | None = None,
    name: str = "mollifier",
    seed: int = 0,
) -> Fitted:
    """Find core and coefficient from readings on the grid, NaN where there are none; the kept round as of `fit`.

    The networks' last layers are made orthonormal on the grid first. float64 throughout.
    Raises InputError for another type or shape, TrainingError where a step is not finite.
    """
    if host.dtype != torch.float64 or derivator.axes[0].dtype != torch.float64:
        raise InputError("gauss_newton: expected host and derivator in float64")
    host.orthonormalise(derivator.axes)
    work = Work(host, coefficient, derivator, residual, Data.of(derivator, values, how.held, seed), how)
    history: list[dict[str, Any]] = []
    best, first, began = copied(host, coefficient), 0, time.monotonic()
    restored = run.restore(name) if run is not None else None
    if restored is not None:
        first, history, best = _resume(work, *restored)
        began -= history[-1]["seconds"]
    with progress(name, how.rounds + 1) as bar:
        for number in range(first, how.rounds + 1):
            entry = work.round(number)
            history.append({**entry, "seconds": time.monotonic() - began})
            if kept(history, work.data.held_count) == number:
                best = copied(host, coefficient)
            if run is not None:
                parts = {f"now.{k}": t for k, t in copied(host, coefficient).items()}
                parts |= {f"best.{k}": t for k, t in best.items()}
                run.save(name, parts, {"history": history, "noise": work.noise, "scale": work.scale})
            bar.update(number + 1)
            bar.note(f"held readings {entry['held']:.3g}, weight of the PDE {entry['weight']:.3g}")
    put(best, host, coefficient)
    return Fitted(host, coefficient, tuple(history), kept(history, work.data.held_count))


@final
@dataclass(frozen=True)
class Data:
    """Readings [N] with 0 where there are none, and the weights [N] of those to fit and those to judge by."""

    values: Tensor
    fitted: Tensor
    held: Tensor
    held_count: int

    @classmethod
    def of(cls, derivator: Derivator, values: NDArray[np.float64], share: float, seed: int) -> Data:
        if values.shape != derivator.shape:
            raise InputError(f"readings: expected values {list(derivator.shape)}, got {list(values.shape)}")
        if np.isinf(values).any():
            raise InputError(
                f"readings: expected finite numbers or NaN, place {np.argwhere(np.isinf(values))[0]} is not"
            )
        flat = values.ravel()
        read = np.flatnonzero(~np.isnan(flat))
        if len(read) < 2:
            raise InputError(f"readings: expected at least 2 numbers, got {len(read)}")
        apart = np.random.default_rng(seed).permutation(read)[: max(1, round(share * len(read)))]
        held = np.zeros(len(flat))
        held[apart] = 1.0 / len(apart)
        fitted = np.where(np.isnan(flat) | (held > 0), 0.0, 1.0 / (len(read) - len(apart)))
        made = [torch.from_numpy(v) for v in (np.nan_to_num(flat), fitted, held)]
        return cls(made[0], made[1], made[2], len(apart))


@final
class Work:
    """Normal equations and steps."""

    def __init__(
        self,
        host: Tucker,
        coefficient: Coefficient,
        derivator: Derivator,
        residual: Residual,
        data: Data,
        how: Newton,
    ) -> None:
        self.host, self.coefficient, self.derivator, self.residual = host, coefficient, derivator, residual
        self.data, self.how = data, how
        self.noise = self.scale = 1.0
        self.stiff = torch.zeros((), dtype=torch.float64)
        self.damping = FIRST_DAMPING
        self.gram: Tensor | None = None
        with torch.no_grad():
            self.tables = derivator.tables(host)
            self.rest = [_kron(tables[1:]) for tables in self.tables.products]
            self.columns = coefficient.columns().reshape(derivator.shape[0], -1, coefficient.count)
        inside = torch.zeros(derivator.shape, dtype=torch.float64)
        inside[tuple(slice(how.edge, n - how.edge) for n in derivator.shape)] = 1.0
        if not bool(inside.any()):
            raise InputError(f"edge: expected rows to be left, {how.edge} leave none of {list(derivator.shape)}")
        self.inside = inside / inside.sum()

    def round(self, number: int) -> dict[str, Any]:
        """Readings alone, or some steps with the PDE; the figures."""
        weight = self.how.weight * self.how.growth ** (number - 1) if number else 0.0
        self.damping = FIRST_DAMPING
        if number == 0:
            self._readings()
        elif number == 1:
            self.begin()
        loss = math.nan
        for place in range(self.how.steps if number else 0):
            loss = self._step(weight)
            if not math.isfinite(loss):
                raise TrainingError(f"round {number + 1}, step {place + 1}: the loss is {loss}; give a smaller weight")
        with torch.no_grad():
            error = float((self.data.held * (self._u() - self.data.values) ** 2).sum())
        return {"round": number, "weight": weight, "loss": loss, "held": math.sqrt(error)}

    def _readings(self) -> None:
        """The core that fits the readings best."""
        normal, load = self._data_normal(-self.data.values)
        normal = normal + self.how.ridge * normal.diagonal().mean() * torch.eye(len(normal), dtype=torch.float64)
        offset = self._data_normal(torch.full_like(self.data.values, self.host.offset))[1]
        with torch.no_grad():
            self.host.core.copy_(-torch.linalg.solve(normal, load + offset).reshape(self.host.ranks))

    def begin(self) -> None:
        fields = self._fields()
        like = torch.zeros(self.coefficient.shape, dtype=torch.float64)
        with torch.no_grad():
            zero = self.residual(fields, like)
            factor = zero - self.residual(fields, like + 1.0)
            self.coefficient.solve(zero * self.inside, factor * self.inside)
            self.scale = max(float((self.inside * zero**2).sum().sqrt()), 1e-300)
            error = (self.data.held * (self._u() - self.data.values) ** 2).sum()
            self.noise = max(float(error.sqrt()), 1e-300)

    def _u(self) -> Tensor:
        return (self.host.offset + self.host.scale * self.host.assembled(self.tables.plain)).flatten()

    def _fields(self) -> Fields:
        made = torch.stack([self.host.scale * self.host.assembled(tables) for tables in self.tables.products])
        combine = torch.from_numpy(self.tables.combine)
        fields = torch.tensordot(combine, made.detach(), dims=([1], [0]))
        shift = self.host.offset * torch.tensor(self.derivator.constants, dtype=torch.float64)
        return self.derivator.fields(*(fields + shift.reshape(-1, *[1] * self.host.dimension)))

    def _cost(self, weight: float) -> float:
        with torch.no_grad():
            wrong = self.residual(self._fields(), self.coefficient())
            data = (self.data.fitted * (self._u() - self.data.values) ** 2).sum() / self.noise**2
            return float(data + weight * (self.inside * wrong**2).sum() / self.scale**2 + self._rough())

    def _rough(self) -> Tensor:
        flat = self.coefficient.flat()
        return self.stiff * (flat @ self.coefficient.stiffness() @ flat)

    def _step(self, weight: float) -> float:
        """One damped step that lowers the loss, if any does; the loss after it."""
        normal, load = self.normal(weight)
        with torch.no_grad():
            before = self._cost(weight)
            held = copied(self.host, self.coefficient)
            for _ in range(TRIALS):
                damped = normal.clone()
                damped.diagonal().mul_(1.0 + self.damping)
                factor, failed = torch.linalg.cholesky_ex(damped)
                if not bool(failed):
                    self._move(-torch.cholesky_solve(load[:, None], factor)[:, 0])
                    after = self._cost(weight)
                    if after < before:
                        self.damping = max(LEAST_DAMPING, SMALLER * self.damping)
                        return after
                    put(held, self.host, self.coefficient)
                self.damping *= LARGER
        return before

    def _move(self, delta: Tensor) -> None:
        core = self.host.core
        core.add_(delta[: core.numel()].reshape(core.shape))
        self.coefficient.move(delta[core.numel() :])

    def _data_normal(self, misfit: Tensor) -> tuple[Tensor, Tensor]:
        """J^T W J and J^T W misfit of the readings."""
        first, rest = self.tables.plain[0].detach(), self.host.scale * _kron(self.tables.plain[1:]).detach()
        weights = self.data.fitted.reshape(len(first), -1)
        if self.gram is None:
            self.gram = _spread(first, first, torch.stack([rest.T @ (w[:, None] * rest) for w in weights]))
        load = first.T @ ((weights * misfit.reshape(weights.shape)) @ rest)
        return self.gram, load.flatten()

    def normal(self, weight: float) -> tuple[Tensor, Tensor]:
        """J^T J and J^T r of the whole loss over (core, coefficient), roughness included."""
        normal, load = self._data_normal(self._u().detach() - self.data.values)
        n, scaled = len(load), weight / self.scale**2
        whole = torch.zeros(n + self.coefficient.count, n + self.coefficient.count, dtype=torch.float64)
        pulled = torch.zeros(len(whole), dtype=torch.float64)
        whole[:n, :n], pulled[:n] = normal / self.noise**2, load / self.noise**2
        whole.diagonal()[:n].add_(self.how.ridge * whole.diagonal()[:n].mean())
        value, slopes, by_lambda = self._slopes()
        groups = self._groups(slopes)
        weights = self.inside.reshape(len(value), -1) * scaled
        columns = self.columns * by_lambda[:, :, None]
        with torch.no_grad():
            for a, (table, rows) in enumerate(groups):
                weighted = rows * weights[:, :, None]
                for other, more in groups[a:]:
                    block = _spread(table, other, weighted.transpose(1, 2) @ more)
                    whole[:n, :n] += block if other is table else block + block.T
                mixed = torch.einsum("ia,irc->arc", table, weighted.transpose(1, 2) @ columns)
                whole[:n, n:] += mixed.flatten(0, 1)
                pulled[:n] += (table.T @ (weighted * value[:, :, None]).sum(1)).flatten()
            flat = (columns * weights[:, :, None]).flatten(0, 1)
            whole[n:, n:] = flat.T @ columns.flatten(0, 1)
            pulled[n:] = flat.T @ value.flatten()
            whole[n:, :n] = whole[:n, n:].T
            self.stiff = whole.diagonal()[n:].mean()
            whole[n:, n:] += self.stiff * self.coefficient.stiffness()
            pulled[n:] += self.stiff * self.coefficient.stiffness() @ self.coefficient.flat()
        return whole, pulled

    def _slopes(self) -> tuple[Tensor, list[Tensor], Tensor]:
        """The residual [n_1, S], its slopes by every field and by lambda."""
        fields = [f.requires_grad_() for f in self._fields()]
        lam = self.coefficient().detach().expand(self.derivator.shape).clone().requires_grad_()
        value = self.residual(self.derivator.fields(*fields), lam)
        grads = torch.autograd.grad(value.sum(), [*fields, lam], allow_unused=True)
        flat = [torch.zeros_like(value) if g is None else g for g in grads]
        rows = [g.reshape(len(value), -1) for g in (value.detach(), *flat)]
        return rows[0], rows[1:-1], rows[-1]

    def _groups(self, slopes: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """The Jacobian as pairs (table of the slowest axis [n_1, K], rows [n_1, S, R]), one per kernel along it."""
        made: list[tuple[Tensor, Tensor]] = []
        stacked, scale = torch.stack(list(slopes)), self.host.scale
        for k, tables in enumerate(self.tables.products):
            factors = torch.from_numpy(self.tables.combine[:, k])
            rows = scale * torch.tensordot(factors, stacked, dims=([0], [0]))[:, :, None] * self.rest[k]
            at = next((i for i, (table, _) in enumerate(made) if torch.equal(table, tables[0])), None)
            if at is None:
                made.append((tables[0], rows))
            else:
                made[at] = (tables[0], made[at][1] + rows)
        return made


def _kron(tables: Sequence[Tensor]) -> Tensor:
    made = torch.ones(1, 1, dtype=torch.float64)
    for table in tables:
        made = torch.kron(made, table)
    return made


def _spread(first: Tensor, other: Tensor, grams: Tensor) -> Tensor:
    """sum_i kron(first_i other_i^T, grams_i): [n, K], [n, L], [n, R, R] -> [K R, L R]."""
    pairs = (first[:, :, None] * other[:, None, :]).flatten(1)
    k, m, r = first.shape[1], other.shape[1], grams.shape[1]
    return (pairs.T @ grams.flatten(1)).reshape(k, m, r, r).permute(0, 2, 1, 3).reshape(k * r, m * r)


def _resume(
    work: Work, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]
) -> tuple[int, list[dict[str, Any]], dict[str, Tensor]]:
    sides = {s: {k.split(".", 1)[1]: t for k, t in tensors.items() if k.startswith(f"{s}.")} for s in ("now", "best")}
    put(sides["now"], work.host, work.coefficient)
    work.noise, work.scale = float(meta["noise"]), float(meta["scale"])
    history = [dict(entry) for entry in meta["history"]]
    return len(history), history, sides["best"]
