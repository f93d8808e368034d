"""How large the error may be where: a limit on the whole box, tighter ones on parts of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from edgepde_runtime.box import Box
from edgepde_runtime.certificate import BoxEntry
from edgepde_runtime.errorlimits import EVERY, ErrorLimits
from edgepde_runtime.errors import BudgetError
from edgepde_runtime.limits import max_error as limits_of
from edgepde_runtime.subbox import place
from torch import Tensor

MaxError = str | float | Mapping[str, float] | ErrorLimits
WHOLE = "the box"


@dataclass(frozen=True)
class Area:
    """A box and the largest error allowed in it."""

    name: str
    box: Box
    limit: float


@dataclass(frozen=True)
class Allowance:
    """The areas of one output; the first is the whole box."""

    areas: tuple[Area, ...]

    @property
    def whole(self) -> Area:
        """The area of the whole box."""
        return self.areas[0]

    @property
    def tightest(self) -> float:
        """The smallest limit."""
        return min(area.limit for area in self.areas)

    def at(self, x: Tensor) -> Tensor:
        """The limit [N] that holds at points x [N, d]."""
        limit = x.new_full((len(x),), self.whole.limit)
        for area in self.areas[1:]:
            low, high = (torch.tensor(side, dtype=x.dtype) for side in (area.box.low, area.box.high))
            inside = ((x >= low) & (x <= high)).all(dim=1)
            limit = torch.where(inside, limit.clamp(max=area.limit), limit)
        return limit


def allowance(max_error: MaxError, box: Box, output: str = "y", column_input: str = "x") -> Allowance:
    """What a text allows of an output over a box: 1e-3, u=1e-3, or with parts u=1e-2,u[x=0.4:0.6]=1e-4.

    Raises BudgetError for an unknown output or column, a range outside the box, or no limit for the whole box.
    """
    limits = limits_of(max_error, "--max-error")
    columns = [BoxEntry(column_input, *c) for c in zip(box.names, box.units, box.low, box.high, strict=True)]
    limits.check([output], columns, "--max-error")
    whole = limits.of(output)
    if whole is None:
        shown = output if output in limits.outputs or EVERY in limits.outputs else f"{output} on the whole box"
        raise BudgetError(f"--max-error: expected a limit for {shown}, got {max_error!r}")
    areas = [Area(WHOLE, box, whole)]
    for region in limits.within(output):
        ranges = place(region.box, columns, f"--max-error: {region.name}", BudgetError)
        ends = [ranges.get(i, (box.low[i], box.high[i])) for i in range(box.dimension)]
        low, high = zip(*ends, strict=True)
        areas.append(Area(region.name, Box(low, high, box.names, box.units), region.limit))
    return Allowance(tuple(areas))
