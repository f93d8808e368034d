"""A surrogate with derivative and residual outputs beside its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError, UnsupportedModel
from edgepde_runtime.manifest import SHOWN
from torch import Tensor, nn

from edgepde.network.signature import parameter_dtype, row_shapes

from ..bank import bank
from ..grid import Grid
from .choosing import chosen
from .fields import kernels
from .masking import counted
from .on_grid import OnGrid, check_on_grid
from .request import FIELD, RESIDUAL, Request
from .residual import AtPoints, OverGrid, Residual
from .units import unit_of


@final
@dataclass(frozen=True)
class Described:
    """An output: its name, unit, and whether it is a diagnostic; operator: what stands between it and the field."""

    name: str
    unit: str
    diagnostic: bool = False
    operator: str = ""


@final
@dataclass(frozen=True)
class Plan:
    """How a module of one output is given more: the same for it and what it was compressed from."""

    outputs: tuple[Described, ...]
    made: Callable[[nn.Module], nn.Module]

    def of(self, module: nn.Module) -> nn.Module:
        """The module that returns a tuple of the outputs."""
        return self.made(module).eval()


@final
@dataclass(frozen=True)
class Subject:
    """The surrogate that gets more outputs: its box, what is asked, name and unit of its output, the shape of a row."""

    module: nn.Module
    box: Box
    request: Request
    field: tuple[str, str]
    shape: tuple[int, ...]
    log: Callable[[str], None]


@final
class Appended(nn.Module):
    """x [M, d] -> (y, the derivatives asked for, the residual if one is)."""

    def __init__(self, derived: nn.Module, request: Request, residual: Residual | None) -> None:
        super().__init__()
        self.derived, self.residual = derived, residual
        self.factors, self.names = request.factors, request.names

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The outputs in order."""
        value, *parts = self.derived(x)
        made = dict(zip(self.factors, parts, strict=True))
        asked = [made[name] for name in self.names]
        if self.residual is not None:
            wanted = {name: made[name] for name in self.residual.equation.factors}
            asked.append(self.residual(x, wanted))
        return value, *asked


def plan(module: nn.Module, box: Box, request: Request, field: tuple[str, str], log: Callable[[str], None]) -> Plan:
    """How derivatives and residual of a module's only output are made; field: the output's name and unit.

    Raises InputError for names, coordinates or parameters that the model does not have, UnsupportedModel where no form
    of derivative is of use, saying what would help.
    """
    dtype = parameter_dtype(module)
    shapes = row_shapes(module, box, dtype)
    if list(shapes) != [""]:
        raise UnsupportedModel(f"--derivatives: expected a module of one output, got {', '.join(shapes)}")
    subject = Subject(module, box, request, field, shapes[""], log)
    return _of_points(subject) if request.grid is None else _on_grid(subject, request.grid)


def _on_grid(subject: Subject, grid: Grid) -> Plan:
    request, box = subject.request, subject.box
    letters, dtype = tuple(grid.letters), parameter_dtype(subject.module)
    check_on_grid(subject.shape, grid)
    request.check(letters, box.names)
    units = {axis.name: axis.unit for axis in grid.axes}
    columns = {name: i for i, name in enumerate(box.names)}
    found = kernels(subject.module, box, grid, request.factors, subject.log)
    own = bank(grid, request.factors, plans=found.plans)
    weight, indicator = counted(own)

    def made(inner: nn.Module) -> nn.Module:
        residual = None
        if request.equation is not None:
            places = {name: torch.from_numpy(values.copy()) for name, values in grid.mesh().items()}
            residual = OverGrid(request.equation, columns, places, torch.from_numpy(weight).to(dtype))
        return Appended(OnGrid(inner, own, dtype), request, residual)

    return Plan(_described(subject, units, found.words, indicator), made)


def _of_points(subject: Subject) -> Plan:
    request, box, shape = subject.request, subject.box, subject.shape
    letters = tuple(box.names)
    scalar = shape in ((), (1,))
    if not scalar and request.equation is not None:
        raise InputError(
            f"--residual: the output has rows of shape {list(shape)}, a residual at points wants one number per row; "
            f"where the output is a field on a grid give --grid"
        )
    coordinates = [name for name in letters if len(name) == 1]
    if not coordinates:
        raise InputError(
            f"--derivatives: expected columns of one letter to differentiate by, the box has "
            f"{', '.join(letters[:SHOWN])}; name them in --domain (x=0:1), or give the axes of a field with --grid"
        )
    if len(shape) > 1:
        sizes = " x ".join(map(str, shape))
        raise InputError(
            f"--derivatives: the output has rows of {sizes} numbers: give the axes of its grid with --grid"
        )
    request.check(coordinates, letters)
    sums = request.sums(letters)
    found = chosen(subject.module, box, sums, request.form, subject.log)
    columns = {name: i for i, name in enumerate(letters)}

    def made(inner: nn.Module) -> nn.Module:
        residual = None if request.equation is None else AtPoints(request.equation, columns)
        return Appended(found.of(inner), request, residual)

    units = dict(zip(box.names, box.units, strict=True))
    words = dict.fromkeys(sums, found.words)
    return Plan(_described(subject, units, words, "|residual| at the row's point"), made)


def _described(
    subject: Subject, units: Mapping[str, str], operators: Mapping[str, str], indicator: str
) -> tuple[Described, ...]:
    request, (name, unit) = subject.request, subject.field
    letters = tuple(units)
    sums = request.sums(letters)
    made = [Described(name, unit)]
    made += [Described(n, unit_of(unit, sums[n], letters, units), operator=operators[n]) for n in request.names]
    if request.equation is not None:
        made.append(Described(RESIDUAL, request.equation.unit, diagnostic=True, operator=indicator))
    if name in (*request.names, RESIDUAL) or (name != FIELD and FIELD in request.names):
        raise InputError(f"--derivatives: {name} is the output's own name")
    return tuple(made)
