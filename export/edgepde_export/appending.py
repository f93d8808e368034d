"""Derivative and residual outputs as asked for on the command line: names, an equation, a grid as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from edgepde_runtime.errors import InputError

from edgepde.mollifier.grid import Axis, Grid
from edgepde.mollifier.outputs.request import Request
from edgepde.problems.equation import Equation, equation_of
from edgepde.problems.finding import find
from edgepde.problems.problem import Problem

APPENDED = "appended"
MOST = 1 << 20
EXAMPLE = "t=0:1*32,y=0:1*32,x=0:1*32"


def request(
    derivatives: str | Sequence[str] | None,
    residual: str | Equation | Problem | None,
    grid: str | Grid | None,
    form: str | None,
) -> Request | None:
    """What was asked for, None where nothing was; raises InputError or ProblemError naming what is wrong."""
    if derivatives is None and residual is None and grid is None and form is None:
        return None
    names = derivatives.split(",") if isinstance(derivatives, str) else derivatives or ()
    equation = find(residual) if isinstance(residual, str) else None if residual is None else equation_of(residual)
    return Request(tuple(name.strip() for name in names), equation, grid_of(grid), form or "auto")


def grid_of(given: str | Grid | None) -> Grid | None:
    """The grid given as such or as text."""
    return parse_grid(given) if isinstance(given, str) else given


def noted(asked: Request | None, residual: str | Equation | Problem | None) -> dict[str, Any]:
    """What ledger.json says of it, under APPENDED, so that the same can be asked for again; {} where nothing was.

    residual: as it was given; an equation that is no text is called by its name. grid: None where it is not even.
    """
    if asked is None:
        return {}
    equation = None if asked.equation is None else residual if isinstance(residual, str) else asked.equation.name
    grid = None if asked.grid is None else spelled(asked.grid)
    own = {"derivatives": list(asked.names), "residual": equation, "form": asked.form, "grid": grid}
    return {APPENDED: {**own, "on_grid": asked.grid is not None}}


def spelled(grid: Grid) -> str | None:
    """An even grid as it is typed; None for another."""
    if not all(axis.uniform for axis in grid.axes):
        return None
    ends = [(axis, *axis.values[[0, -1]].tolist()) for axis in grid.axes]
    parts = [f"{a.name}={low!r}:{high!r}*{a.size}" + (f"[{a.unit}]" if a.unit else "") for a, low, high in ends]
    return ",".join(parts)


def parse_grid(text: str) -> Grid:
    """The grid of `t=0:1*32,y=0:1*32,x=0:1*32`, slowest first; a unit may follow in brackets: x=0:1*32[m]."""
    return Grid(tuple(_axis(part.strip()) for part in text.split(",")))


def _axis(part: str) -> Axis:
    head, _, unit = part.partition("[")
    name, equals, rest = head.partition("=")
    ends, times, count = rest.partition("*")
    low, colon, high = ends.partition(":")
    if not (equals and times and colon) or (unit and not unit.endswith("]")):
        raise InputError(f"--grid: expected axes as in {EXAMPLE}, a unit in brackets behind, got {part!r}")
    if not count.strip().isdecimal() or not 1 < int(count) <= MOST:
        raise InputError(f"--grid: axis {name}: expected a count of 2 to {MOST} behind *, got {count!r}")
    try:
        a, b = float(low), float(high)
    except ValueError:
        raise InputError(f"--grid: axis {name}: expected numbers low:high, got {ends!r}") from None
    if not a < b:
        raise InputError(f"--grid: axis {name}: expected low < high, got {ends!r}")
    return Axis(name.strip(), np.linspace(a, b, int(count)), unit.removesuffix("]"))
