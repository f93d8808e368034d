"""How large the error may be where: a limit on the whole box, tighter ones on parts of it, others on derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from edgepde_runtime.box import Box
from edgepde_runtime.certificate import BoxEntry
from edgepde_runtime.errorlimits import EVERY, ErrorLimits
from edgepde_runtime.errors import BudgetError
from edgepde_runtime.limits import max_error as limits_of
from edgepde_runtime.manifest import SHOWN
from edgepde_runtime.subbox import place
from torch import Tensor

from edgepde.compress.area import Area
from edgepde.compress.derived import Derived, columns_of

MaxError = str | float | Mapping[str, float] | ErrorLimits
WHOLE = "the box"


@dataclass(frozen=True)
class Allowance:
    """The areas of one output, the first the whole box, and the derivatives of it that have a limit."""

    areas: tuple[Area, ...]
    derived: tuple[Derived, ...] = ()

    @property
    def whole(self) -> Area:
        """The area of the whole box."""
        return self.areas[0]

    @property
    def tightest(self) -> float:
        """The smallest limit of the output itself."""
        return min(area.limit for area in self.areas)

    def at(self, x: Tensor) -> Tensor:
        """The limit [N] that holds at points x [N, d]."""
        limit = x.new_full((len(x),), self.whole.limit)
        return torch.stack([limit, *(area.at(x) for area in self.areas[1:])]).amin(dim=0)

    def over(self, box: Callable[[Box], Box]) -> Allowance:
        """The same limits over other boxes."""
        derived = [replace(one, areas=_over(one.areas, box)) for one in self.derived]
        return Allowance(_over(self.areas, box), tuple(derived))


def _over(areas: Sequence[Area], box: Callable[[Box], Box]) -> tuple[Area, ...]:
    return tuple(replace(area, box=box(area.box)) for area in areas)


def allowance(max_error: MaxError, box: Box, output: str = "y", column_input: str = "x") -> Allowance:
    """What a text allows of an output over a box: 1e-3, u=1e-3, with parts u=1e-2,u[x=0.4:0.6]=1e-4, u_xx=5 beside it.

    Raises BudgetError for an unknown output, derivative or column, a range outside the box, or no limit for the whole
    box.
    """
    limits = limits_of(max_error, "--max-error")
    columns = [BoxEntry(column_input, *c) for c in zip(box.names, box.units, box.low, box.high, strict=True)]
    derived = _derivatives(limits, box, output)
    limits.check([output, *derived], columns, "--max-error")
    whole = limits.of(output)
    if whole is None:
        shown = output if output in limits.outputs or EVERY in limits.outputs else f"{output} on the whole box"
        raise BudgetError(f"--max-error: expected a limit for {shown}, got {max_error!r}")
    areas = [Area(WHOLE, box, whole), *_parts(limits, box, columns, (output, EVERY))]
    return Allowance(tuple(areas), tuple(_derived(limits, box, columns, *one) for one in derived.items()))


def _derivatives(limits: ErrorLimits, box: Box, output: str) -> dict[str, tuple[int, ...]]:
    names = dict.fromkeys((*limits.outputs, *(region.output for region in limits.regions)))
    found = {name: columns_of(name, output, box.names) for name in names if name not in (EVERY, output)}
    for name, columns in found.items():
        if columns is None and name.startswith(f"{output}_"):
            among = ", ".join(map(repr, box.names[:SHOWN])) + (", ..." if box.dimension > SHOWN else "")
            raise BudgetError(f"--max-error: {name!r} is no derivative of {output!r}; expected columns among {among}")
    return {name: columns for name, columns in found.items() if columns}


def _derived(limits: ErrorLimits, box: Box, columns: Sequence[BoxEntry], name: str, by: tuple[int, ...]) -> Derived:
    whole = limits.outputs.get(name)
    areas = [] if whole is None else [Area(WHOLE, box, whole)]
    return Derived(name, by, (*areas, *_parts(limits, box, columns, (name,))))


def _parts(limits: ErrorLimits, box: Box, columns: Sequence[BoxEntry], names: Sequence[str]) -> list[Area]:
    made = []
    for region in limits.regions:
        if region.output not in names:
            continue
        ranges = place(region.box, columns, f"--max-error: {region.name}", BudgetError)
        ends = [ranges.get(i, (box.low[i], box.high[i])) for i in range(box.dimension)]
        low, high = zip(*ends, strict=True)
        made.append(Area(region.name, Box(low, high, box.names, box.units), region.limit))
    return made
