"""What stands where a proof says nothing of an output: no finite bound, or one above the output itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from edgepde_runtime.certificate import Found
from edgepde_runtime.term import TERMS, Term, sum_up, upward

from ..limits import PROVED
from .measured import MARGIN

LOOSE = 10.0
DEVICE_TERMS = TERMS[1:]


@final
@dataclass(frozen=True)
class Instead:
    """The terms as measured; the largest |output| seen, in `unit`; what storing the constants changes, measured.

    A proved bound is of no use where it is above `largest` and above LOOSE times what was measured with its margin:
    0 would be as good an answer of the network. Bounds that are large because the error is so are kept.
    """

    terms: Mapping[str, Term]
    largest: float
    unit: str
    quantisation: Callable[[], Term]
    log: Callable[[str], None]

    def measured(self, name: str) -> Term:
        """The term as measured; quantisation is measured when it is asked for."""
        kept = self.terms[name]
        return self.quantisation() if name == "quantisation" and kept.class_ != "measured" else kept

    def useless(self, name: str, proved: float) -> str:
        """Why a proved bound of a term is not stated, in words; "" where it is."""
        if not (math.isfinite(proved) and proved < 1e300):
            return f"{PROVED}no finite bound"
        if not proved > self.largest > 0.0:
            return ""
        seen = self.measured(name).value
        if seen is None or proved <= LOOSE * seen:
            return ""
        unit = f" {self.unit}" if self.unit else ""
        field = f"more than the output itself, at most {self.largest:.3g}{unit} where seen"
        return f"{PROVED}{upward(proved)}{unit}, {field}"

    def of(self, name: str, why: str) -> Term:
        """The term as measured, saying why it is not proved; `log` hears it."""
        kept = self.measured(name)
        if kept.value is None:
            return Term.not_verified(f"{kept.how}; {why}")
        self.log(f"measured, not proved: {name}; {why}")
        return Term(kept.value, "measured", f"{kept.how}; {why}")


def covering(terms: Mapping[str, Term], found: Found) -> dict[str, Term]:
    """The terms, a measured one of them larger where a later search found more than all of them together state."""
    made = dict(terms)
    open_ = [name for name in DEVICE_TERMS if made[name].class_ == "measured"]
    others = [made[name].value for name in DEVICE_TERMS if name not in open_]
    if not open_ or None in others:
        return made
    known = [made[name].value or 0.0 for name in DEVICE_TERMS]
    if found.value <= sum_up(known):
        return made
    name = max(open_, key=lambda one: made[one].value or 0.0)
    missing = MARGIN * float(np.nextafter(found.value, np.inf)) - sum_up(known) + (made[name].value or 0.0)
    how = f"{made[name].how}; raised to twice what a later search found, {found.value:.3g}"
    made[name] = replace(made[name], value=missing, how=how)
    return made
