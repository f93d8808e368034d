"""torch's face of the op factorized_conv: a chain of convolutions, and the op with gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from edgepde_runtime.errors import InputError, ModelFileError
from edgepde_runtime.windows import Window, window
from torch import Tensor

NAME = "factorized_conv"


@final
@dataclass(frozen=True)
class Stage:
    """One convolution of the chain: weight and its arguments."""

    weight: Tensor
    bias: Tensor | None
    stride: list[int]
    dilation: list[int]
    groups: int

    def apply(self, x: Tensor) -> Tensor:
        """The convolution without padding."""
        none = [0] * len(self.stride)
        return torch.ops.aten.convolution(
            x, self.weight, self.bias, self.stride, none, self.dilation, False, none, self.groups
        )

    def slopes(self, x: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        """Slopes by x and by the weight."""
        none = [0] * len(self.stride)
        found = torch.ops.aten.convolution_backward(
            slope, x, self.weight, None, self.stride, none, self.dilation, False, none, self.groups,
            [True, True, False],
        )  # fmt: skip
        return found[0], found[1]


def chain(read: Tensor, filters: Tensor, write: Tensor, bias: Tensor, made: Window) -> Iterator[Stage]:
    """read, the 1-way filters from the last axis to the first, write."""
    d = len(made.kernel)
    ones = [1] * d
    yield Stage(read.view(*read.shape, *ones), None, ones, ones, 1)
    parts = filters.split(list(made.kernel), dim=1)
    for axis in reversed(range(d)):
        shape = [made.kernel[axis] if a == axis else 1 for a in range(d)]
        stride = [made.strides[axis] if a == axis else 1 for a in range(d)]
        dilation = [made.dilations[axis] if a == axis else 1 for a in range(d)]
        weight = parts[axis].reshape(len(filters), 1, *shape)
        yield Stage(weight, None, stride, dilation, len(filters))
    yield Stage(write.view(*write.shape, *ones), bias, ones, ones, 1)


def around(made: Window) -> list[int]:
    """The zeros around the mixed channels as torch's pad wants them: the last axis first."""
    return [n for axis in reversed(range(len(made.kernel))) for n in (made.before[axis], made.after[axis])]


def chained(x: Tensor, read: Tensor, filters: Tensor, write: Tensor, bias: Tensor, made: Window) -> Tensor:
    """The op in differentiable torch operations, to any order and under torch.func; sizes are not checked."""
    read, filters, write = (v.to(x.dtype) for v in (read, filters, write))
    for place, stage in enumerate(chain(read, filters, write, bias, made)):
        x = stage.apply(x)
        if place == 0:
            x = torch.nn.functional.pad(x, around(made))
    return x


@torch.library.custom_op("edgepde::factorized_conv", mutates_args=())
def factorized_conv(
    x: Tensor,
    read: Tensor,
    filters: Tensor,
    write: Tensor,
    bias: Tensor,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    rank: int,
) -> Tensor:
    """y [B, T, m_1 .. m_d] for x [B, S, n_1 .. n_d]; meaning as in the op's schema. InputError where sizes disagree."""
    made = _window(x, kernel_shape, strides, pads, dilations)
    wanted = {
        "read": (read, (rank, x.shape[1])),
        "filters": (filters, (rank, sum(kernel_shape))),
        "write": (write, (len(write), rank)),
        "bias": (bias, (len(write),)),
    }
    for name, (value, shape) in wanted.items():
        if tuple(value.shape) != shape:
            raise InputError(f"{NAME}: {name}: expected shape {list(shape)}, got {list(value.shape)}")
    _places(made, x)
    return chained(x, read, filters, write, bias, made).clone(memory_format=torch.contiguous_format)


@factorized_conv.register_fake
def _(
    x: Tensor,
    read: Tensor,
    filters: Tensor,
    write: Tensor,
    bias: Tensor,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    rank: int,
) -> Tensor:
    made = _window(x, kernel_shape, strides, pads, dilations)
    return x.new_empty((x.shape[0], write.shape[0], *_places(made, x)))


def _window(
    x: Tensor, kernel_shape: Sequence[int], strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int]
) -> Window:
    given = {"kernel_shape": kernel_shape, "strides": strides, "pads": pads, "dilations": dilations}
    try:
        return window(NAME, x.dim() - 2, given)
    except ModelFileError as error:
        raise InputError(str(error)) from error


def _places(made: Window, x: Tensor) -> tuple[int, ...]:
    try:
        return made.places(NAME, x.shape[2:])
    except ModelFileError as error:
        raise InputError(str(error)) from error


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    del output
    ctx.save_for_backward(*inputs[:5])
    ctx.sizes = inputs[5:9]


def _backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
    """Slopes by x and the factors; differentiable once more, as it is made of torch's own operations."""
    x, read, filters, write, bias = ctx.saved_tensors
    made = _window(x, *ctx.sizes)
    stages = list(chain(read.to(x.dtype), filters.to(x.dtype), write.to(x.dtype), bias, made))
    given = [x]
    for place, stage in enumerate(stages[:-1]):
        y = stage.apply(given[-1])
        given.append(torch.nn.functional.pad(y, around(made)) if place == 0 else y)
    into_bias = slope.sum(dim=[0, *range(2, slope.dim())])
    weights: list[Tensor] = []
    for place in reversed(range(len(stages))):
        slope, own = stages[place].slopes(given[place], slope)
        weights.append(own.reshape(len(own), -1))
        if place == 1:
            slope = torch.nn.functional.pad(slope, [-n for n in around(made)])
    into_filters = torch.cat(weights[1:-1], dim=1)
    factors = (weights[-1].to(read.dtype), into_filters.to(filters.dtype), weights[0].to(write.dtype))
    return slope, *factors, into_bias, None, None, None, None, None


factorized_conv.register_autograd(_backward, setup_context=_remember)
