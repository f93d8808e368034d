"""Do networks recover a coefficient when derivatives come from kernels, and is it the kernels that make them?

u_t = lambda(y, x) Lap u + 2 u (1 - u), readings with 1 % noise. First all hosts in equal processor time of one thread,
on a small grid: the same host by kernels and by its own exact derivatives. Then the one that wins on the whole grid,
to its end, beside what needs no network. Rounds and weights are chosen by held readings; scores are over all samples.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from _harness import OURS, Row, say
from torch import Tensor

from edgepde.mollifier import gauss_newton, hosts
from edgepde.mollifier.coefficient import Spline
from edgepde.mollifier.derivator import Derivator, Fields
from edgepde.mollifier.exact import NestedAutograd, SeparableJets
from edgepde.mollifier.gauss_newton import Newton
from edgepde.mollifier.grid import Grid
from edgepde.mollifier.hosts._host import Host
from edgepde.mollifier.hosts.tucker import Tucker
from edgepde.mollifier.inverse.recovering import recover
from edgepde.mollifier.inverse.statement import statement
from edgepde.mollifier.layer import MollifierLayer
from edgepde.mollifier.objective import Objective
from edgepde.mollifier.readings import Readings
from edgepde.mollifier.training import Fit, fit
from edgepde.problems.heat_field import HeatField
from edgepde.problems.inverse_case import Case

NAMES = ("u", "u_t", "laplacian")
SECONDS, QUICK_SECONDS = 20.0, 0.5
SMALL = HeatField(points=21, frames=11)
WHOLE = HeatField()
FIRST = 100
READINGS, ROUNDS, SPLINES = 3, 5, 10
LINE_SEARCH = 1.25
"""Evaluations of L-BFGS per step."""
WITHOUT = ("spline", "solver")
KINDS: dict[str, type[Derivator]] = {
    "kernels": MollifierLayer,
    "nested autograd": NestedAutograd,
    "exact 1-D jets": SeparableJets,
}


@final
@dataclass(frozen=True)
class Entrant:
    """A host, what optimizes it and its settings."""

    host: str
    optimizer: str
    settings: dict[str, Any]
    derivators: tuple[str, ...]


ENTRANTS = (
    Entrant("mlp", "adam", {"width": 64, "depth": 4}, ("kernels", "nested autograd")),
    Entrant("siren", "lbfgs", {"width": 64, "depth": 2}, ("kernels", "nested autograd")),
    Entrant("separable", "lbfgs", {"width": 32, "depth": 2, "rank": 48}, ("kernels", "exact 1-D jets")),
)
TUCKER = {"width": 96, "depth": 1, "ranks": [6, 20, 20]}
SMALL_RANKS = [6, 14, 14]
NEWTON = Newton(rounds=4, steps=3, weight=10.0, growth=6.0)


def rows(quick: bool, seed: int = 0) -> list[Row]:
    """Correlation, relative error and seconds of every entrant."""
    made = []
    case = SMALL.case(FIRST + 1000 * seed)
    where = f"heat, 1 % noise, {SMALL.points} x {SMALL.points} x {SMALL.frames}"
    for entrant in ENTRANTS:
        for kind in entrant.derivators:
            say(f"hosts: {entrant.host}, {kind}")
            budget = QUICK_SECONDS if quick else SECONDS
            made += scored(where, f"{entrant.host}, {entrant.optimizer}, {kind}", case, by_steps(entrant, kind, budget))
    small = {**TUCKER, "ranks": SMALL_RANKS}
    for kind in ("kernels", "exact 1-D jets"):
        how = replace(NEWTON, rounds=1, steps=1) if quick else NEWTON
        made += scored(where, f"tucker, Gauss-Newton, {kind}", case, by_newton(small, kind, how))
    made += without(where, case)
    return made if quick else made + whole(seed)


def whole(seed: int) -> list[Row]:
    """The whole grid at two levels of noise."""
    made = []
    for noise in (0.01, 0.05):
        config = replace(WHOLE, noise=noise)
        case = config.case(FIRST + 1000 * seed)
        where = f"heat, {100 * noise:g} % noise, {config.points} x {config.points} x {config.frames}"
        say(f"hosts: {where}")
        made += scored(where, OURS, case, by_newton(TUCKER, "kernels", NEWTON))
        made += without(where, case)
    return made


Recovers = Callable[[Case], np.ndarray]


def scored(where: str, name: str, case: Case, recovers: Recovers) -> list[Row]:
    """What a way to lambda is worth."""
    began = time.process_time()
    lam = recovers(case)
    seconds = time.process_time() - began
    correlation = float(np.corrcoef(lam.ravel(), case.lam.ravel())[0, 1]) if float(lam.std()) > 0 else 0.0
    error = float(np.linalg.norm(lam - case.lam) / np.linalg.norm(case.lam))
    return [
        Row(f"{where}: correlation", name, "", correlation, goal=">="),
        Row(f"{where}: relative error", name, "", error),
        Row(f"{where}: processor time", name, "s", seconds),
    ]


def without(where: str, case: Case) -> list[Row]:
    """No network."""

    def by(method: str) -> Recovers:
        def found(one: Case) -> np.ndarray:
            grid = Grid.of(**one.axes)
            return recover(one.readings, grid, statement("heat_field"), method, one.noise, baseline=False).lam

        return found

    return [row for method in WITHOUT for row in scored(where, f"no network, {method}", case, by(method))]


def by_steps(entrant: Entrant, kind: str, budget: float) -> Recovers:
    """Rounds of as many steps as the budget of processor seconds holds."""

    def found(case: Case) -> np.ndarray:
        grid, net, unknown = prepared(case, entrant.host, entrant.settings)
        derivator = KINDS[kind](grid, NAMES, dtype=torch.float64)  # type: ignore[call-arg]
        readings = Readings.of_grid(grid, case.readings)
        cost = evaluation(Objective(net, unknown, derivator, residual, readings.split(0.1, 0)))
        steps = budget / (READINGS * cost[0] + ROUNDS * cost[1])
        if entrant.optimizer == "lbfgs":
            steps /= LINE_SEARCH
        how = Fit(READINGS, ROUNDS, max(1, int(steps)), 3.0, 4.0, entrant.optimizer)  # type: ignore[arg-type]
        fit(net, unknown, derivator, residual, readings, how)
        return unknown.map()

    return found


def evaluation(work: Objective) -> tuple[float, float]:
    """Processor seconds of a loss with its slope, without and with the PDE; the second of two."""
    work.begin()
    found = []
    for weight in (0.0, 1.0):
        for _ in range(2):
            began = time.process_time()
            work.loss(weight, 1.0, 1.0).backward()
            spent = time.process_time() - began
        found.append(max(spent, 1e-6))
    return found[0], found[1]


def by_newton(settings: dict[str, Any], kind: str, how: Newton) -> Recovers:
    """To the end of its rounds."""

    def found(case: Case) -> np.ndarray:
        grid, net, unknown = prepared(case, "tucker", settings)
        assert isinstance(net, Tucker)
        derivator = KINDS[kind](grid, NAMES, dtype=torch.float64)  # type: ignore[call-arg]
        gauss_newton.solve(net, unknown, derivator, residual, case.readings, how)
        return unknown.map()

    return found


def prepared(case: Case, name: str, settings: dict[str, Any]) -> tuple[Grid, Host, Spline]:
    """Grid, host in float64 and unknown."""
    torch.manual_seed(0)
    low, high = ([float(axis[end]) for axis in case.axes.values()] for end in (0, -1))
    known = case.readings[np.isfinite(case.readings)]
    net = hosts.host(name)(low, high, offset=float(known.mean()), scale=float(known.std()), **settings).double()
    grid = Grid.of(**case.axes)
    return grid, net, Spline(grid, ("y", "x"), SPLINES)


def residual(fields: Fields, lam: Tensor) -> Tensor:
    """u_t - lambda Lap u - 2 u (1 - u)."""
    found: Tensor = fields.u_t - lam * fields.laplacian - 2.0 * fields.u * (1.0 - fields.u)
    return found
