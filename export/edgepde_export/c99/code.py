"""Lines of C: indentation, loops over strided axes, and what operations need to know to write themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import final

from .value import Value


@final
class Code:
    """Lines of a C function body being written."""

    def __init__(self, depth: int = 1) -> None:
        self.lines: list[str] = []
        self._depth = depth

    def line(self, text: str) -> None:
        """One statement."""
        self.lines.append("    " * self._depth + text)

    def row_or_lanes(self, row: str, lanes: str, *, varying: bool) -> None:
        """A call for one row, or for a tile of rows where there are vectors and the operands vary."""
        if not varying:
            self.line(f"{row};")
            return
        self.line(f"if (L == 1) {row};")
        self.lines.append("#if EP_VECTOR_BYTES")
        self.line(f"else {lanes};")
        self.lines.append("#endif")

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Statements inside braces."""
        self.line(f"{head} {{".lstrip())
        self._depth += 1
        yield
        self._depth -= 1
        self.line("}")

    @contextmanager
    def loops(self, counts: Sequence[tuple[str, int]]) -> Iterator[None]:
        """Nested loops over named indices; none of them where there are none."""
        for name, count in counts:
            self.line(f"for (size_t {name} = 0; {name} < {count}; {name}++) {{")
            self._depth += 1
        yield
        for _ in counts:
            self._depth -= 1
            self.line("}")


Axis = tuple[int, tuple[int, ...]]
"""A count and, per operand, the elements of one row from one index to the next."""


def merged(axes: Sequence[Axis]) -> list[Axis]:
    """The same loops with axes of one count dropped and neighbours that run on joined; slowest first."""
    found: list[Axis] = []
    for count, steps in axes:
        if count == 1:
            continue
        if found and all(a == b * count for a, b in zip(found[-1][1], steps, strict=True)):
            found[-1] = (found[-1][0] * count, steps)
        else:
            found.append((count, steps))
    return found


def at(pointer: str, steps: Sequence[tuple[str, int]], *, lanes: bool = False) -> str:
    """A pointer moved by index * step for every index; steps count rows of lanes where the operand varies."""
    moved = pointer
    for sign, chosen in (("+", [s for s in steps if s[1] > 0]), ("-", [s for s in steps if s[1] < 0])):
        terms = [name if abs(step) == 1 else f"{name} * {abs(step)}" for name, step in chosen]
        if terms:
            total = " + ".join(terms)
            whole = f"({total})" if len(terms) > 1 or (lanes and "*" in total) else total
            moved += f" {sign} {whole}{' * L' if lanes else ''}"
    return moved


def pointer(value: Value, further: int = 0) -> str:
    """The expression of a value's first element, or of one further on: places are pointers, constants arrays."""
    name, offset = value.store.label, value.offset + further
    if offset == 0:
        return name
    return f"{name} + {offset} * L" if value.varying else f"{name} + {offset}"
