"""The step of the room block_low_rank_apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from .code import Code, at, pointer
from .functions import Functions
from .scratched import Scratched
from .value import Store, Value


@final
@dataclass(eq=False)
class BlockProduct(Scratched):
    """y[p] = A x[p] for rows p, A in packed blocks; inputs as the op's.

    sizes: groups of columns, groups of rows, columns, rows, ranks, most entries and most rows of a group of rows.
    """

    sizes: tuple[int, ...]

    def takes_nothing(self) -> bool:
        """A matrix of one kind of blocks alone."""
        return True

    def padded(self) -> dict[Store, str]:
        """The factors."""
        return {self.inputs[i].store: self.output.code for i in (2, 5)}

    def write(self, code: Code, functions: Functions) -> None:
        """One call per row p."""
        kind = self.output.code
        x, column_groups, right, row_groups, index, left = self.inputs
        name = functions.blocks(kind, right.code)
        factors = [_factor(v, kind) for v in (right, left)]
        places = [pointer(v) if v.count else "NULL" for v in (column_groups, row_groups, index)]
        operands = f"{places[0]}, {factors[0]}, {places[1]}, {places[2]}, {factors[1]}"
        indices = [("p", self.rows)] if self.rows > 1 else []
        source = at(pointer(x), [("p", self.sizes[2])] if indices else [], lanes=x.varying)
        target = at(pointer(self.output), [("p", self.sizes[3])] if indices else [], lanes=self.varying)
        with code.block(""):
            code.line(f"static const ep_blocks sizes = {{{', '.join(map(str, self.sizes))}}};")
            with code.loops(indices):
                rest = f"&sizes, {source}, {operands}, {target}, {pointer(self.scratch)}"
                code.row_or_lanes(f"{name}_row({rest}, NULL)", f"{name}_lanes({rest})", varying=self.varying)


def _factor(value: Value, kind: str) -> str:
    """Where numbers begin and up to where they may be read."""
    return f"{pointer(value)}, {pointer(value, value.count)} + EP_PAD_{kind}" if value.count else "NULL, NULL"


def scratch_numbers(ranks: int, columns: int, entries: int, size: int) -> int:
    """EP_BLOCKS_SCRATCH, which the generated file asserts."""

    def up(n: int) -> int:
        return -(-n // 16) * 16

    return up(ranks + columns + 16) + up(entries) + up(size + 16)
