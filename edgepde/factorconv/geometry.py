"""What a convolution does to a grid: sizes, strides, padding, as torch's layers state them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from edgepde_runtime.errors import InputError

MODES = ("zeros", "reflect", "replicate", "circular")


@final
@dataclass(frozen=True)
class Geometry:
    """A convolution of S inputs and T outputs over d axes; padding holds (before, after) of every axis.

    Its kernel is thought of as K [T, S, k_1, ..., k_d] whether or not it is transposed.
    """

    inputs: int
    outputs: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    output_padding: tuple[int, ...]
    transposed: bool = False
    padding_mode: str = "zeros"

    def __post_init__(self) -> None:
        """Check what torch checks; every axis has its numbers."""
        sizes = (self.inputs, self.outputs, *self.kernel, *self.stride, *self.dilation)
        if not all(isinstance(n, int) and n > 0 for n in sizes):
            raise InputError(f"factorconv: expected channels, kernel, stride and dilation above 0, got {sizes}")
        if any(n < 0 for pair in (*self.padding, self.output_padding) for n in pair):
            raise InputError(f"factorconv: padding: expected 0 or more, got {self.padding}, {self.output_padding}")
        if self.padding_mode not in MODES:
            raise InputError(f"factorconv: padding_mode: expected one of {list(MODES)}, got {self.padding_mode!r}")
        if self.transposed and self.padding_mode != "zeros":
            raise InputError(f"factorconv: padding_mode: expected 'zeros' where transposed, got {self.padding_mode!r}")
        for place, (more, step, spread) in enumerate(zip(self.output_padding, self.stride, self.dilation, strict=True)):
            if more >= max(step, spread) and more:
                raise InputError(
                    f"factorconv: output_padding: expected less than {max(step, spread)} on axis {place}, got {more}"
                )

    @property
    def axes(self) -> int:
        """How many axes the grid has."""
        return len(self.kernel)

    @property
    def points(self) -> int:
        """Entries of one kernel: k_1 ... k_d."""
        return math.prod(self.kernel)

    @property
    def dense_shape(self) -> tuple[int, ...]:
        """Shape of K."""
        return (self.outputs, self.inputs, *self.kernel)

    @property
    def dense_numbers(self) -> int:
        """Entries of K."""
        return self.inputs * self.outputs * self.points

    @property
    def fan_in(self) -> float:
        """How many entries of K a value of the output sums: S k_1 .. k_d; transposed: on average."""
        return self.inputs * self.points / (math.prod(self.stride) if self.transposed else 1)

    def pads_first(self) -> bool:
        """Whether the input is padded as a step of its own: another mode than zeros, or unlike on both sides."""
        return self.padding_mode != "zeros" or any(before != after for before, after in self.padding)

    def grid_after(self, grid: Sequence[int]) -> tuple[int, ...]:
        """Sizes of the output's grid. InputError where the kernel is larger than the padded input."""
        made = []
        for a, n in enumerate(grid):
            reach, pad = self.dilation[a] * (self.kernel[a] - 1) + 1, sum(self.padding[a])
            if self.transposed:
                size = (n - 1) * self.stride[a] - pad + reach + self.output_padding[a]
            else:
                size = (n + pad - reach) // self.stride[a] + 1
            if size < 1 or (not self.transposed and n + pad < reach):
                raise InputError(f"factorconv: axis {a}: expected a grid the kernel fits into, got {n} points")
            made.append(size)
        return tuple(made)


def geometry(
    axes: int, inputs: int, outputs: int, kernel: Any, stride: Any, padding: Any, dilation: Any, mode: str
) -> Geometry:
    """A plain convolution from the arguments of torch's layers: numbers or one per axis; padding "same" or "valid"."""
    kernel, stride, dilation = (
        each(axes, name, value) for name, value in (("kernel_size", kernel), ("stride", stride), ("dilation", dilation))
    )
    if isinstance(padding, str):
        pads = _named(padding, kernel, stride, dilation)
    else:
        pads = tuple((p, p) for p in each(axes, "padding", padding))
    return Geometry(inputs, outputs, kernel, stride, pads, dilation, (0,) * axes, False, mode)


def each(axes: int, name: str, value: Any) -> tuple[int, ...]:
    """One number per axis."""
    held = (value,) * axes if isinstance(value, int) else tuple(value) if isinstance(value, Sequence) else ()
    if len(held) != axes or not all(isinstance(n, int) for n in held):
        raise InputError(f"factorconv: {name}: expected a number or {axes} of them, got {value!r}")
    return held


def _named(
    padding: str, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    if padding not in {"same", "valid"}:
        raise InputError(f"factorconv: padding: expected 'same', 'valid' or numbers, got {padding!r}")
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if any(step != 1 for step in stride):
        raise InputError(f"factorconv: padding: expected stride 1 for 'same', got {tuple(stride)}")
    reaches = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((reach // 2, reach - reach // 2) for reach in reaches)
