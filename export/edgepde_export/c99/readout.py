"""The step of the room basis_readout; also a layer whose weights are a caller's array, which nothing is read behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from .code import Code, at, pointer
from .functions import Functions
from .operations import Operation


@final
@dataclass(eq=False)
class Readout(Operation):
    """y[p, n] = (sum_k x[p, k] w[k, n]) scale[n step] for rows p; w and scale are the same for all rows of a tile.

    Inputs are x, w and perhaps the scale, without which nothing is multiplied; w may be halves.
    """

    rows: int
    terms: int
    columns: int
    step: int = 0

    def takes_halves(self) -> bool:
        """The basis."""
        return True

    def reads_within(self) -> bool:
        """All of them."""
        return True

    def write(self, code: Code, functions: Functions) -> None:
        """One call per row p."""
        x, w, *scale = self.inputs
        functions.kernel("stored.h")
        name = functions.weighted("readout", "basis_readout.h", self.output.code, w.code)
        factor = f"{pointer(scale[0])}, {self.step}" if scale else "NULL, 0"
        indices = [("p", self.rows)] if self.rows > 1 else []
        with code.loops(indices):
            source = at(pointer(x), [("p", self.terms)] if indices else [], lanes=x.varying)
            target = at(pointer(self.output), [("p", self.columns)] if indices else [], lanes=self.varying)
            rest = f"{self.terms}, {self.columns}, {source}, {pointer(w)}, {factor}, {target}"
            code.row_or_lanes(f"{name}_row({rest})", f"{name}_lanes({rest})", varying=self.varying)
