"""The step of the room factorized_conv."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from edgepde_runtime.windows import Window

from .code import Code, at, pointer
from .functions import Functions
from .scratched import Scratched

STRIP, CHUNK = 512, 16


@final
@dataclass(frozen=True)
class Sizes:
    """ep_factorized: channels in, rank, channels out, and the lifted window; `own` axes at the end have filters."""

    channels: tuple[int, int, int]
    window: Window
    own: int
    grid: tuple[int, ...]
    places: tuple[int, ...]

    def written(self) -> str:
        """The initialiser."""
        w = self.window
        axes = []
        for a in range(3):
            kernel = w.kernel[a] if a >= 3 - self.own else 0
            numbers = (self.grid[a], self.places[a], kernel, w.strides[a], w.dilations[a], w.before[a])
            axes.append(f"{{{', '.join(map(str, numbers))}}}")
        return f"{{{', '.join(map(str, self.channels))}, {{{', '.join(axes)}}}}}"

    def scratch(self, lanes: int, *, stored: bool) -> int:
        """ep_factorized_scratch."""
        (planes, _, _), (_, y, x) = self.window.reaches, self.window.strides
        spans = [reach - 1 for reach in self.window.reaches]
        most = STRIP // lanes
        columns = min(self.places[2], most)
        rows = min(most // columns, self.places[1])
        high = (rows - 1) * y + spans[1] + 1
        across = min((columns - 1) * x + spans[2] + 1, self.grid[2])
        wide = columns + spans[2] // x
        wide = -(-wide // 16) * 16 if columns % 16 == 0 else wide
        parts = high * across + min(spans[2] + 1, x) * high * wide + high * wide + planes * rows * wide + rows * columns
        inputs, _, outputs = self.channels
        factors = CHUNK * (inputs + outputs + sum(self.window.kernel[3 - self.own :])) + 64 if stored else 0
        return CHUNK * parts * lanes + factors + 80


@final
@dataclass(eq=False)
class FactorizedConv(Scratched):
    """y[p] of x[p] for rows p; inputs as the op's."""

    sizes: Sizes

    def write(self, code: Code, functions: Functions) -> None:
        """One call per row p."""
        x, *factors = self.inputs
        name = functions.weighted("factorized", "factorized_conv.h", self.output.code, factors[0].code)
        indices = [("p", self.rows)] if self.rows > 1 else []
        source, target = (
            at(pointer(v), [("p", v.count // self.rows)] if indices else [], lanes=v.varying) for v in (x, self.output)
        )
        rest = ", ".join(["&sizes", source, *map(pointer, factors), target, pointer(self.scratch)])
        with code.block(""):
            code.line(f"static const ep_factorized sizes = {self.sizes.written()};")
            with code.loops(indices):
                code.row_or_lanes(f"{name}_row({rest})", f"{name}_lanes({rest})", varying=self.varying)
