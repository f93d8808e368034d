"""What an error may be: per output, and per part of the box."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .errors import BudgetError
from .subbox import SubBox, place, words

if TYPE_CHECKING:
    from .certificate import BoxEntry

EVERY = ""


@dataclass(frozen=True)
class RegionLimit:
    """Most that the error of `output`, EVERY for each, may be on a part of the box: a range by column."""

    output: str
    box: SubBox
    limit: float

    @property
    def name(self) -> str:
        """As it is typed, without the limit: u[x=0.4:0.6]."""
        return f"{self.output}[{words(self.box)}]"


@dataclass(frozen=True)
class ErrorLimits:
    """outputs: by name, EVERY for those not named. regions: further limits on parts of the box, which may overlap."""

    outputs: Mapping[str, float] = field(default_factory=dict)
    regions: tuple[RegionLimit, ...] = ()

    def of(self, output: str) -> float | None:
        """The limit of an output on the whole box, None where there is none."""
        return self.outputs.get(output, self.outputs.get(EVERY))

    def within(self, output: str) -> list[RegionLimit]:
        """The limits of an output on parts of the box."""
        return [region for region in self.regions if region.output in (output, EVERY)]

    @property
    def smallest(self) -> float | None:
        """The tightest of all limits, None where there is none."""
        return min([*self.outputs.values(), *(region.limit for region in self.regions)], default=None)

    def check(self, outputs: Iterable[str], box: Sequence[BoxEntry], where: str) -> None:
        """Raises BudgetError naming an output that is not among `outputs`, or a column or range outside `box`."""
        known = sorted(outputs)
        for name in (*self.outputs, *(region.output for region in self.regions)):
            if name != EVERY and name not in known:
                raise BudgetError(f"{where}: {name!r} is no certified output; expected {', '.join(known)}")
        for region in self.regions:
            place(region.box, box, f"{where}: {region.name}", BudgetError)

    def overridden(self, other: ErrorLimits) -> ErrorLimits:
        """These limits with those of `other` in the place of the same; one for EVERY output replaces all."""
        if EVERY in other.outputs:
            return other
        replaced = {(region.output, words(region.box)) for region in other.regions}
        kept = [region for region in self.regions if (region.output, words(region.box)) not in replaced]
        return ErrorLimits({**self.outputs, **other.outputs}, (*kept, *other.regions))
