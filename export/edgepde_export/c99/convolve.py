"""The step of the rooms conv and conv_transpose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.windows import Window
from numpy.typing import NDArray

from .building import FLOATS, Builder, Call, refuse_sizes
from .code import Code, at, pointer
from .dims import dim, features, spelled, symbols
from .functions import Functions
from .memory import TILE
from .scratched import Scratched
from .value import Store, Value, constant

STRIP = 128
MOST_SCRATCH = 1 << 26


@dataclass(frozen=True)
class Axis:
    """ep_axis: output i reads taps at stride i + from + a apart, and is number begin + every i of size.

    beyond: what stands outside the input, the place of Pad's mode among its modes; a constant is 0.
    """

    taps: int
    start: int
    apart: int
    stride: int
    inputs: int
    count: int
    begin: int
    every: int
    size: int
    kernel: range
    beyond: int = 0

    @property
    def span(self) -> int:
        """From the lowest tap to the highest."""
        return max(self.taps - 1, 0) * abs(self.apart)

    def written(self) -> str:
        """The initialiser."""
        numbers = (
            self.taps, self.start, self.apart, self.stride, self.inputs, self.count, self.begin, self.every, self.size,
            self.beyond,
        )  # fmt: skip
        return f"{{{', '.join(map(str, numbers))}}}"


@final
@dataclass(frozen=True)
class Part:
    """ep_convolution: channels in and out of a group, three axes."""

    inputs: int
    outputs: int
    axes: tuple[Axis, Axis, Axis]

    def written(self) -> str:
        """The initialiser."""
        return f"{{{self.inputs}, {self.outputs}, {{{', '.join(a.written() for a in self.axes)}}}}}"

    def scratch(self, lanes: int) -> int:
        """Numbers of scratch for a tile of so many rows."""
        first, y, x = self.axes
        most = STRIP // lanes
        columns = min(x.count, most)
        rows = min(most // columns, y.count)
        plane = (rows + y.span // y.stride) * (wide := columns + x.span // x.stride)
        phases = math.prod(min(a.span + 1, a.stride) for a in (y, x))
        return (self.inputs * first.taps * phases * plane + self.outputs * rows * wide) * lanes + 32


@final
@dataclass(eq=False)
class Convolve(Scratched):
    """y[p] of x[p] for rows p; inputs are x, the weights in the kernel's order and perhaps the bias."""

    groups: int
    parts: tuple[Part, ...]

    def padded(self) -> dict[Store, str]:
        """The weights."""
        return {self.inputs[1].store: self.output.code}

    def write(self, code: Code, functions: Functions) -> None:
        """One call per row p."""
        x, w, *bias = self.inputs
        name = functions.weighted("convolve", "convolve.h", self.output.code, w.code)
        weights = f"{pointer(w)}, {pointer(bias[0]) if bias else 'NULL'}"
        indices = [("p", self.rows)] if self.rows > 1 else []
        source, target = (
            at(pointer(v), [("p", v.count // self.rows)] if indices else [], lanes=v.varying) for v in (x, self.output)
        )
        with code.block(""):
            code.line("static const ep_convolution parts[] = {")
            for part in self.parts:
                code.line(f"    {part.written()},")
            code.line("};")
            with code.loops(indices):
                rest = (
                    f"{self.groups}, {len(self.parts)}, parts, {source}, {weights}, {target}, {pointer(self.scratch)}"
                )
                code.row_or_lanes(f"{name}_row({rest})", f"{name}_lanes({rest})", varying=self.varying)


def direct(made: Window, grid: Sequence[int], places: Sequence[int]) -> list[tuple[Axis, ...]]:
    """The axes of a convolution, one phase."""
    return [
        tuple(
            Axis(k, -before, d, stride, n, m, 0, 1, m, range(k))
            for k, before, d, stride, n, m in zip(
                made.kernel, made.before, made.dilations, made.strides, grid, places, strict=True
            )
        )
    ]


def transposed(made: Window, grid: Sequence[int], places: Sequence[int]) -> list[tuple[Axis, ...]]:
    """The axes of every phase of a transposed convolution: outputs first + stride i read the taps that lead there."""
    found: list[tuple[Axis, ...]] = [()]
    for a, (n, m) in enumerate(zip(grid, places, strict=True)):
        k, stride, d, before = made.kernel[a], made.strides[a], made.dilations[a], made.before[a]
        step = stride // math.gcd(stride, d)
        own = []
        for q in range(min(stride, m)):
            begin = next((j for j in range(min(step, k)) if (q + before - d * j) % stride == 0), k)
            taps = range(begin, k, step)
            start, apart = ((q + before - d * begin) // stride, -(d * step) // stride) if taps else (0, 0)
            own.append(Axis(len(taps), start, apart, 1, n, -(-(m - q) // stride), q, stride, m, taps))
        found = [(*axes, axis) for axes in found for axis in own]
    return found


def packed(kernels: NDArray[np.generic], phases: Sequence[tuple[Axis, ...]]) -> NDArray[np.generic]:
    """Weights [groups, T, S, k_1, k_2, k_3] as the kernel reads them: per group and phase [S, taps, T]."""
    runs = []
    for group in kernels:
        for axes in phases:
            own = group[:, :, list(axes[0].kernel)][:, :, :, list(axes[1].kernel)][:, :, :, :, list(axes[2].kernel)]
            runs.append(own.transpose(1, 2, 3, 4, 0).ravel())
    return np.concatenate(runs)


def step(
    call: Call,
    builder: Builder,
    kernels: NDArray[np.generic],
    grids: tuple[Sequence[int], Sequence[int]],
    phases: Sequence[tuple[Axis, ...]],
) -> Value:
    """Appends the convolution of input 0 with kernels [groups, T, S, k_1, k_2, k_3]; its grids in and out."""
    x, bias = builder.running(call, call.value(0)), call.known(2)
    groups, outputs, inputs = kernels.shape[:3]
    parts = tuple(Part(inputs, outputs, (axes[0], axes[1], axes[2])) for axes in phases)
    lanes = (1, TILE) if x.varying else (1,)
    need = max(-(-part.scratch(n) // n) for part in parts for n in lanes)
    refuse_scratch(need)
    output = builder.new(x.code, (x.shape[0], dim(groups * outputs), *map(dim, grids[1])), varying=x.varying)
    scratch = builder.new(x.code, (dim(need),), varying=x.varying)
    given = (x, constant(packed(kernels, phases)), *([constant(bias)] if bias is not None else []))
    made = Convolve(given, output, call.label, features(x.shape[:1]), scratch, groups, parts)
    return builder.add(made)


def shape_of(call: Call) -> tuple[int, ...]:
    """The sizes of input 0, rows as one; UnsupportedModel where channels or grid are no plain numbers."""
    x = call.value(0)
    refuse_sizes(x)
    if x.code not in FLOATS or symbols(x.shape[1:]) or not 3 <= len(x.shape) <= 5:
        raise UnsupportedModel(f"expected float32 or float64 over one to three axes, got {x.code} {spelled(x.shape)}")
    return (1, *(features((d,)) for d in x.shape[1:]))


def refuse_scratch(need: int) -> None:
    """UnsupportedModel where a kernel wants more numbers of scratch than any field has."""
    if need > MOST_SCRATCH:
        raise UnsupportedModel(f"expected a window of at most {MOST_SCRATCH} numbers of scratch, got {need}")


def lifted(sizes: Sequence[int]) -> tuple[int, ...]:
    """A grid over three axes, the new ones in front of one point."""
    return (1,) * (3 - len(sizes)) + tuple(sizes)
