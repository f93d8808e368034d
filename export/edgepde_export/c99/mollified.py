"""The step of the room mollified_derivative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from .code import Code, at, pointer
from .functions import Functions
from .scratched import Scratched

ROWS = 4


@final
@dataclass(frozen=True)
class Sizes:
    """ep_mollified: the grid, rows and width of every axis' taps, how many outputs; orders of every product.

    single: products that are an output as they are.
    """

    grid: tuple[int, ...]
    taps: tuple[tuple[int, int], ...]
    orders: tuple[tuple[int, ...], ...]
    outputs: int
    single: frozenset[int]

    def written(self) -> str:
        """The initialiser."""
        axes = ", ".join(f"{{{n}, {rows}, {width}}}" for n, (rows, width) in zip(self.grid, self.taps, strict=True))
        return f"{{{len(self.orders)}, {self.outputs}, {{{axes}}}}}"

    def scratch(self) -> int:
        """ep_mollified_numbers of one row: lines that axis 2 reads, planes that axis 1 reads, rows of products."""
        _, n2, n3 = self.grid
        together = min(n2, ROWS)
        lines = {q3 for _, q2, q3 in self.orders if q2 >= 0 and q3 >= 0}
        planes = {order[1:] for order in self.orders if order[0] >= 0} - {(-1, -1)}
        there = {self.orders[k] for k in self.single} | {(-1, *rest) for rest in planes} | {(-1, -1, -1)}
        slots = set(self.orders) - there
        kept = len(lines) * (self.taps[1][1] + together - 1) * n3
        return kept + len(planes) * self.taps[0][1] * n2 * n3 + len(slots) * together * n3

    def used(self) -> list[bool]:
        """Which axes any product is filtered along."""
        return [any(order[axis] >= 0 for order in self.orders) for axis in range(3)]


@final
@dataclass(eq=False)
class MollifiedDerivative(Scratched):
    """y[p] of x[p] for rows p; inputs as the op's without taps of axes left alone, those of axis 3 [Q, W, R]."""

    sizes: Sizes

    def takes_halves(self) -> bool:
        """The kernel reads numbers of one type."""
        return False

    def reads_within(self) -> bool:
        """The kernel goes back over numbers instead."""
        return True

    def write(self, code: Code, functions: Functions) -> None:
        """One call per row p."""
        x, *taps, orders, combine = self.inputs
        name = functions.included("mollified", "mollified_derivative.h", self.output.code)
        indices = [("p", self.rows)] if self.rows > 1 else []
        source, target = (
            at(pointer(v), [("p", v.count // self.rows)] if indices else [], lanes=v.varying) for v in (x, self.output)
        )
        given = iter(taps)
        held = [pointer(next(given)) if used else "NULL" for used in self.sizes.used()]
        rest = ", ".join(["&sizes", source, *held, pointer(orders), pointer(combine), target, pointer(self.scratch)])
        with code.block(""):
            code.line(f"static const ep_mollified sizes = {self.sizes.written()};")
            with code.loops(indices):
                code.row_or_lanes(f"{name}_row({rest})", f"{name}_lanes({rest})", varying=self.varying)
