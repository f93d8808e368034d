"""The step of a product of matrices whose right factor varies, or both, or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from .code import Code, at, pointer
from .functions import Functions
from .operations import Axis, Operation
from .value import Value


@final
@dataclass(eq=False)
class Products(Operation):
    """y[b, p, n] = sum_k x[b, p, k] w[b, k, n]; b, with the steps of x, w and y, are stacks of matrices.

    One row of a batch has its matrices as they are, so that the columns of w fill vectors: many sums of one basis
    readout instead of one after another. A tile of rows has its lanes side by side.
    """

    batch: Axis
    rows: int
    terms: int
    columns: int

    def reads_within(self) -> bool:
        """All of them."""
        return True

    def write(self, code: Code, functions: Functions) -> None:
        """One call per stack for one row, one sum over lanes per element for a tile."""
        wide = self.columns > 1
        if wide and not self.varying:
            self._stacked(code, functions)
            return
        if not wide:
            self._lanes(code, functions)
            return
        with code.block("if (L == 1)"):
            self._stacked(code, functions)
        code.line("#if EP_VECTOR_BYTES")
        with code.block("else"):
            self._lanes(code, functions)
        code.line("#endif")

    def _stacked(self, code: Code, functions: Functions) -> None:
        x, w = self.inputs
        functions.kernel("stored.h")
        name = functions.weighted("readout", "basis_readout.h", self.output.code, self.output.code)
        count, steps = self.batch
        loops = [("b", count)] if count > 1 else []
        with code.loops(loops):
            source, weights, target = (
                at(pointer(value), [("b", step)] if loops else [], lanes=value.varying)
                for value, step in zip((x, w, self.output), steps, strict=True)
            )
            code.line(
                f"{name}_rows({self.rows}, {self.terms}, {self.columns}, {source}, {weights}, NULL, 0, {target});"
            )

    def _lanes(self, code: Code, functions: Functions) -> None:
        x, w = self.inputs
        name = functions.included("products", "products.h", self.output.code)
        count, (xb, wb, yb) = self.batch
        loops = [(i, n) for i, n in (("b", count), ("p", self.rows), ("n", self.columns)) if n > 1]
        names = {i for i, _ in loops}

        def move(value: Value, steps: list[tuple[str, int]]) -> str:
            return at(pointer(value), [(i, s) for i, s in steps if i in names], lanes=value.varying)

        source = move(x, [("b", xb), ("p", self.terms)])
        weights = move(w, [("b", wb), ("n", 1)])
        target = move(self.output, [("b", yb), ("p", self.columns), ("n", 1)])
        lanes = "L" if self.varying else "1"
        with code.loops(loops):
            xs = ("L", 1) if x.varying else ("1", 0)
            ws = (f"{self.columns} * L", 1) if w.varying else (f"{self.columns}", 0)
            code.line(
                f"{name}({lanes}, {self.terms}, {source}, {xs[0]}, {xs[1]}, {weights}, {ws[0]}, {ws[1]}, {target});"
            )
