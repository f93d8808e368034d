"""One recovery: readings, grid and statement, with what several methods need of them, each made once."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from ..grid import Grid
from .smoothing import Smoothed, smooth
from .space import Space, space
from .spline import Fields, fields
from .statement import Statement

Array = NDArray[np.float64]
FOLDER = Path(__file__).with_name("methods")
HUGE = 1e60
"""Squares of products of derivatives of larger readings may be no numbers."""


@final
@dataclass(frozen=True, eq=False)
class Estimate:
    """lambda on its own axes; deviation: its standard deviation by noise, NaN where a method states none.

    misfit: mean square of what is left of the readings over sigma^2, where a method predicts them. about: its choices.
    """

    lam: Array
    deviation: Array
    about: str = ""
    misfit: float = float("nan")


@final
@dataclass(frozen=True, eq=False)
class Task:
    """Readings [n_1..n_d], NaN where there are none. InputError for shapes, values and axes that do not fit.

    noise: the readings' standard deviation if it is known; else what smoothing leaves tells it.
    """

    values: Array
    grid: Grid
    statement: Statement
    noise: float | None = None
    known: dict[str, Estimate] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", self.grid.fits(self.values))
        if self.values.shape != self.grid.shape:
            raise InputError(f"readings: expected one field {list(self.grid.shape)}, got {list(self.values.shape)}")
        if (largest := float(np.nanmax(np.abs(self.values), initial=0.0))) > HUGE:
            raise InputError(f"readings: expected numbers up to {HUGE:g} in size, got {largest:g}")
        if self.noise is not None and not 0.0 < self.noise < np.inf:
            raise InputError(f"noise: expected a standard deviation above 0, got {self.noise:g}")
        self.statement.check(self.grid)
        self._check_places()

    def _check_places(self) -> None:
        """Along every axis readings at more places than the statement differentiates by it."""
        read = np.isfinite(self.values)
        for a, (axis, order) in enumerate(zip(self.grid.axes, self.statement.orders(self.grid), strict=True)):
            places = int(read.any(tuple(b for b in range(read.ndim) if b != a)).sum())
            if places <= order:
                raise InputError(
                    f"readings: expected some at {order + 1} places of axis {axis.name} or more, where the statement "
                    f"differentiates {order} times, got {places}"
                )

    @cached_property
    def smoothed(self) -> Smoothed:
        """The readings fitted with what the boundary allows."""
        return smooth(self.values, self.grid, self.statement.boundary, noise=self.noise)

    @cached_property
    def fields(self) -> Fields:
        """Both sides of the statement of the fit."""
        return fields(self.smoothed, self.grid, self.statement)

    @cached_property
    def space(self) -> Space:
        """Where lambda is looked for."""
        return space(self.grid, self.statement.over)

    @property
    def pooled(self) -> tuple[int, ...]:
        """Axes of the grid that lambda does not depend on."""
        return tuple(a for a in range(len(self.grid.axes)) if a not in self.space.places)

    def estimate(self, method: str) -> Estimate:
        """What a method finds, found once. InputError naming the methods there are, or why this one cannot."""
        if method not in self.known:
            self.known[method] = find(method).estimate(self)
        return self.known[method]


class Method(ABC):
    """A way to lambda; every module of the folder `methods` has one as METHOD."""

    @abstractmethod
    def estimate(self, task: Task) -> Estimate:
        """lambda of the readings. InputError where the statement does not allow the method."""


def methods() -> tuple[str, ...]:
    """The names of all methods."""
    return tuple(sorted(path.stem for path in FOLDER.glob("[!_]*.py")))


def find(name: str) -> Method:
    """The method of a name; InputError naming those there are."""
    if name not in methods():
        raise InputError(f"method: expected auto or one of {', '.join(methods())}, got {name!r}")
    made: Method = importlib.import_module(f"{__package__}.methods.{name}").METHOD
    return made
