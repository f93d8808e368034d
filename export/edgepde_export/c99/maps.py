"""Steps on maps [channels, n_1 ..]: windows, interpolation between neighbours, channels brought to mean 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from .code import Code, at, pointer
from .functions import Functions
from .operations import Operation
from .value import Store, Value


@final
@dataclass(eq=False)
class Pool(Operation):
    """Largest elements or means of windows; `axes` are three of size, windows, kernel, stride, dilation, pads."""

    channels: int
    axes: tuple[tuple[int, ...], ...]
    largest: bool
    pads_count: bool

    def write(self, code: Code, functions: Functions) -> None:
        """One call for all channels."""
        (x,) = self.inputs
        name = functions.included("pool", "pool.h", self.output.code, {"EP_MAX": str(int(self.largest))})
        lanes = "L" if self.varying else "1"
        rows = ", ".join(f"{{{', '.join(map(str, axis))}}}" for axis in self.axes)
        with code.block(""):
            code.line(f"static const ep_pool ep_windows = {{{{{rows}}}, {int(self.pads_count)}}};")
            code.line(f"{name}(&ep_windows, {self.channels}, {lanes}, {pointer(x)}, {pointer(self.output)});")


@dataclass(frozen=True)
class Stretch:
    """One axis made longer or shorter: [outer, size, inner] -> [outer, made, inner] from the table of `places`.

    low: first neighbours; first, second: weights of the two; all of them constants [made].
    """

    outer: int
    size: int
    made: int
    inner: int
    low: Value
    first: Value
    second: Value


@final
@dataclass(eq=False)
class Interpolate(Operation):
    """Linear interpolation axis by axis, channel by channel; what lies between is held for one channel alone."""

    channels: int
    stretches: tuple[Stretch, ...]
    between: tuple[Value, ...]

    def writes(self) -> set[Store]:
        """What lies between too."""
        return {self.output.store, *(v.store for v in self.between)}

    def stores(self) -> list[Store]:
        """The tables too."""
        tables = [v.store for s in self.stretches for v in (s.low, s.first, s.second)]
        return [*super().stores(), *tables, *(v.store for v in self.between)]

    def write(self, code: Code, functions: Functions) -> None:
        """One call per axis."""
        (x,) = self.inputs
        name = functions.included("interpolate", "interpolate.h", self.output.code)
        head, tail = self.stretches[0], self.stretches[-1]
        indices = [("c", self.channels)] if self.channels > 1 else []
        source = at(pointer(x), [("c", head.outer * head.size * head.inner)] if indices else [], lanes=x.varying)
        target = [("c", tail.outer * tail.made * tail.inner)] if indices else []
        places = [source, *map(pointer, self.between), at(pointer(self.output), target, lanes=self.varying)]
        lanes = " * L" if self.varying else ""
        with code.loops(indices):
            for s, before, after in zip(self.stretches, places[:-1], places[1:], strict=True):
                tables = ", ".join(map(pointer, (s.low, s.first, s.second)))
                sizes = f"{s.outer}, {s.size}, {s.made}, {s.inner}{lanes}"
                code.line(f"{name}({sizes}, {tables}, {before}, {after});")


@final
@dataclass(eq=False)
class Normalise(Operation):
    """y = (x - mean) scale / sqrt(variance + epsilon) + shift, channel by channel; inputs x, scale, shift."""

    rows: int
    channels: int
    cells: int
    epsilon: str

    def write(self, code: Code, functions: Functions) -> None:
        """One call per row and channel."""
        x, scale, shift = self.inputs
        name = functions.included("normalise", "instance_normalization.h", self.output.code)
        loops = [(i, n) for i, n in (("r", self.rows), ("c", self.channels)) if n > 1]
        names = [i for i, _ in loops]
        steps = [s for s in (("r", self.channels * self.cells), ("c", self.cells)) if s[0] in names]
        channel = "c" if "c" in names else "0"
        lanes = "L" if self.varying else "1"
        source, target = (at(pointer(v), steps, lanes=v.varying) for v in (x, self.output))
        with code.loops(loops):
            numbers = ", ".join(f"({pointer(v)})[{channel}]" for v in (scale, shift))
            code.line(f"{name}({self.cells}, {lanes}, {source}, {numbers}, {self.epsilon}, {target});")
