"""Convolutions, and maps along one axis of an array."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import final

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor
from torch.nn import functional

from .nodes import Structured

CORRELATE = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
SPREAD = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


@final
@dataclass(frozen=True, eq=False)
class Convolution(Structured):
    """y_t = bias_t + sum_s weight_ts * x_s over arrays x [S, n_1 .. n_d], d = 1, 2, 3.

    weight [T, S / groups, k_1 .. k_d], of a transposed one [S, T / groups, k_1 .. k_d]; bias [T]. pads: zeros before,
    then behind every axis; a transposed one leaves so many outputs away (negative: makes more, of 0 and the bias).
    Raises InputError where sizes do not fit each other.
    """

    sources: tuple[int]
    weight: Tensor
    bias: Tensor
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int = 1
    transposed: bool = False
    computed: bool = False

    def __post_init__(self) -> None:
        d = len(self.shape) - 1
        sizes = (len(self.strides), len(self.pads) // 2, len(self.dilations), self.weight.dim() - 2)
        channels = self.weight.shape[0] if self.transposed else self.weight.shape[1] * self.groups
        if d not in CORRELATE or set(sizes) != {d} or len(self.pads) != 2 * d or channels != self.shape[0]:
            raise InputError(
                f"convolution: weight {list(self.weight.shape)} in {self.groups} groups, strides {self.strides}, pads "
                f"{self.pads}, dilations {self.dilations} expected to fit an array {list(self.shape)}"
            )
        if self.shape_out[0] != len(self.bias) or min(self.shape_out) < 1 or self.shape[0] % self.groups:
            raise InputError(
                f"convolution: expected {self.shape_out[0]} biases and outputs, got {list(self.bias.shape)}"
            )

    @property
    def shape_in(self) -> tuple[int, ...]:
        """[S, n_1 .. n_d]."""
        return self.shape

    @property
    def shape_out(self) -> tuple[int, ...]:
        """[T, m_1 .. m_d]."""
        sides = [self._side(axis) for axis in range(len(self.shape) - 1)]
        return (self.weight.shape[1] * self.groups if self.transposed else self.weight.shape[0], *sides)

    @property
    def terms(self) -> int:
        """The channels of a group times the kernel's size."""
        each = self.shape[0] // self.groups
        return each * math.prod(self.weight.shape[2:])

    @property
    def shift(self) -> Tensor:
        """The bias of every output."""
        return self.bias.repeat_interleave(math.prod(self.shape_out[1:]))

    @property
    def numbers(self) -> tuple[tuple[str, Tensor], ...]:
        """Weight and bias."""
        return ("weight", self.weight), ("bias", self.bias)

    def with_numbers(self, *numbers: Tensor) -> Convolution:
        """The same geometry."""
        weight, bias = numbers
        return dataclasses.replace(self, weight=weight, bias=bias)

    def like(self, other: Structured) -> bool:
        """Whether geometry and shapes are the same."""
        if not isinstance(other, Convolution) or self.weight.shape != other.weight.shape:
            return False
        return all(getattr(self, n) == getattr(other, n) for n in _GEOMETRY)

    def times(self, x: Tensor) -> Tensor:
        """The convolution without its bias."""
        weight, d = self.weight.to(x.dtype), len(self.shape) - 1
        arrays = x.reshape(len(x), *self.shape)
        with torch.backends.cudnn.flags(enabled=False):
            if self.transposed:
                made = SPREAD[d](arrays, weight, None, self.strides, 0, 0, self.groups, self.dilations)
                # what is kept of it: pads leave outputs away, negative ones add zeros
                return functional.pad(made, self._around(-1)).flatten(1)
            padded = functional.pad(arrays, self._around(1)) if any(self.pads) else arrays
            return CORRELATE[d](padded, weight, None, self.strides, 0, self.dilations, self.groups).flatten(1)

    def _around(self, sign: int) -> list[int]:
        """Pads as torch has them, the last axis first."""
        d = len(self.shape) - 1
        return [sign * self.pads[side * d + axis] for axis in reversed(range(d)) for side in range(2)]

    def _side(self, axis: int) -> int:
        n, k = self.shape[1 + axis], self.weight.shape[2 + axis]
        reach, stride = self.dilations[axis] * (k - 1) + 1, self.strides[axis]
        pads = self.pads[axis] + self.pads[len(self.shape) - 1 + axis]
        return (n - 1) * stride + reach - pads if self.transposed else (n + pads - reach) // stride + 1


_GEOMETRY = ("shape", "strides", "pads", "dilations", "groups", "transposed")


@final
@dataclass(frozen=True, eq=False)
class AxisMatrix(Structured):
    """matrix [m, n] times an array [.., n, ..] along one axis, plus bias [m] along it.

    sparse: a device adds up only what is not multiplied with 0. roundings: more than those of a sum of that many
    products, where it sums or weighs in another way.
    """

    sources: tuple[int]
    matrix: Tensor
    bias: Tensor
    shape: tuple[int, ...]
    axis: int
    roundings: int = 0
    sparse: bool = False
    computed: bool = False

    def __post_init__(self) -> None:
        inside = 0 <= self.axis < len(self.shape)
        if not inside or tuple(self.matrix.shape) != (len(self.bias), self.shape[self.axis]) or self.bias.dim() != 1:
            raise InputError(
                f"axis matrix: {list(self.matrix.shape)} with {list(self.bias.shape)} biases expected to fit axis "
                f"{self.axis} of an array {list(self.shape)}"
            )

    @property
    def shape_in(self) -> tuple[int, ...]:
        """The array's shape."""
        return self.shape

    @property
    def shape_out(self) -> tuple[int, ...]:
        """The shape with m in the place of n."""
        return (*self.shape[: self.axis], len(self.bias), *self.shape[self.axis + 1 :])

    @property
    def terms(self) -> int:
        """The products of a row."""
        most = int(self.matrix.count_nonzero(dim=1).max()) if self.sparse else self.matrix.shape[1]
        return max(1, most) + 16 * self.roundings

    @property
    def shift(self) -> Tensor:
        """The bias of every output."""
        after = math.prod(self.shape[self.axis + 1 :])
        return self.bias.repeat_interleave(after).repeat(math.prod(self.shape[: self.axis]))

    @property
    def numbers(self) -> tuple[tuple[str, Tensor], ...]:
        """Matrix and bias."""
        return ("matrix", self.matrix), ("bias", self.bias)

    def with_numbers(self, *numbers: Tensor) -> AxisMatrix:
        """The same geometry."""
        matrix, bias = numbers
        return dataclasses.replace(self, matrix=matrix, bias=bias)

    def like(self, other: Structured) -> bool:
        """Whether shapes and axis are the same."""
        if not isinstance(other, AxisMatrix) or self.matrix.shape != other.matrix.shape:
            return False
        return (self.shape, self.axis) == (other.shape, other.axis)

    def times(self, x: Tensor) -> Tensor:
        """The product without the bias."""
        before, after = math.prod(self.shape[: self.axis]), math.prod(self.shape[self.axis + 1 :])
        arrays = x.reshape(len(x) * before, self.shape[self.axis], after)
        matrix = self.matrix.to(x.dtype)
        made = arrays[:, :, 0] @ matrix.T if after == 1 else matrix @ arrays
        return made.reshape(len(x), -1)
