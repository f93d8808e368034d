"""A layer as the plain convolutions it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from .geometry import Geometry

_CONV = (functional.conv1d, functional.conv2d, functional.conv3d)
_BACK = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)


@final
@dataclass(frozen=True)
class Factor:
    """One factor as a convolution: weight [out, in / groups, k_1..k_d], size 1 on all axes but those it works on."""

    weight: Tensor
    groups: int = 1
    axes: tuple[int, ...] = ()


@final
@dataclass(frozen=True)
class Step:
    """One convolution with the arguments of torch's functional of that name; axes are those it moves along."""

    weight: Tensor
    bias: Tensor | None
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    output_padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    transposed: bool
    axes: tuple[int, ...]

    def run(self, x: Tensor) -> Tensor:
        """The convolution of x [B, in, n_1..n_d]."""
        if self.transposed:
            return _BACK[x.dim() - 3](
                x, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups, self.dilation
            )
        return _CONV[x.dim() - 3](x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def flat(self, x: Tensor) -> Tensor:
        """The same; over three axes a filter of one axis runs as a convolution of two, several times as fast."""
        if x.dim() != 5 or len(self.axes) > 1:
            return self.run(x)
        batch, channels, *grid = x.shape
        axis = self.axes[0] if self.axes else 0
        if axis == 2:
            return self._reduced(1).run(x.flatten(2, 3)).unflatten(2, (grid[0], grid[1]))
        if axis == 0:
            return self._reduced(2).run(x.flatten(3, 4)).unflatten(3, (grid[1], grid[2]))
        moved = self._reduced(0).run(x.transpose(1, 2).reshape(batch * grid[0], channels, grid[1], grid[2]))
        return moved.unflatten(0, (batch, grid[0])).transpose(1, 2)

    def _reduced(self, gone: int) -> Step:
        """Without one of three axes, on which nothing happens."""
        kept = tuple(a for a in range(3) if a != gone)

        def two(values: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(values[a] for a in kept)

        return replace(
            self,
            weight=self.weight.squeeze(2 + gone),
            stride=two(self.stride),
            padding=two(self.padding),
            output_padding=two(self.output_padding),
            dilation=two(self.dilation),
        )


@final
@dataclass(frozen=True)
class Chain:
    """Pad x where `pads` says so (as torch's pad: last axis first), repeat its channels, then one step after the other.

    copies: how often all S channels follow each other before the first step (per-kernel forms; 1 elsewhere).
    """

    steps: tuple[Step, ...]
    pads: tuple[int, ...] | None = None
    padding_mode: str = "constant"
    copies: int = 1

    def padded(self, x: Tensor) -> Tensor:
        """The input as the steps take it, once."""
        return x if self.pads is None else functional.pad(x, self.pads, mode=self.padding_mode)

    def run(self, x: Tensor, flat: bool = True) -> Tensor:
        """y [B, T, m_1..m_d] of x [B, S, n_1..n_d]."""
        return self.after_padding(self.padded(x), flat)

    def after_padding(self, x: Tensor, flat: bool = True) -> Tensor:
        """The same for an input that is padded already; flat maps have their channels last, twice as fast to train."""
        if flat and x.dim() > 3:
            x = x.contiguous(memory_format=torch.channels_last if x.dim() == 4 else torch.channels_last_3d)
        if self.copies > 1:
            x = x.unsqueeze(1).expand(-1, self.copies, *[-1] * (x.dim() - 1)).flatten(1, 2)
        for step in self.steps:
            x = step.flat(x) if flat else step.run(x)
        return x


def chain(where: Geometry, factors: Sequence[Factor], bias: Tensor | None, copies: int = 1) -> Chain:
    """The convolutions of a layer; each takes stride, padding and dilation of the axes it works on."""
    first = where.pads_first()
    last = len(factors) - 1
    steps = tuple(_step(where, f, bias if at == last else None, first) for at, f in enumerate(factors))
    if not first:
        return Chain(steps, copies=copies)
    pads = tuple(n for pair in reversed(where.padding) for n in pair)
    mode = "constant" if where.padding_mode == "zeros" else where.padding_mode
    return Chain(steps, pads, mode, copies)


def _step(where: Geometry, factor: Factor, bias: Tensor | None, padded: bool) -> Step:
    def here(values: Sequence[int], neutral: int) -> tuple[int, ...]:
        return tuple(v if a in factor.axes else neutral for a, v in enumerate(values))

    transposed = where.transposed and bool(factor.axes)
    weight = _turned(factor.weight, factor.groups) if transposed else factor.weight
    padding = (0,) * where.axes if padded else here([before for before, _ in where.padding], 0)
    return Step(
        weight,
        bias,
        here(where.stride, 1),
        padding,
        here(where.output_padding, 0),
        here(where.dilation, 1),
        factor.groups,
        transposed,
        factor.axes,
    )


def _turned(weight: Tensor, groups: int) -> Tensor:
    """[out, in / groups, ..] as transposed convolutions take it: [in, out / groups, ..]."""
    return weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)


def as_dense(where: Geometry, kernel: Tensor, bias: Tensor | None) -> Chain:
    """K [T, S, k_1..k_d] as one convolution."""
    return chain(where, [Factor(kernel, 1, tuple(range(where.axes)))], bias)


def pointwise(matrix: Tensor, axes: int) -> Factor:
    """A matrix [out, in] over the channels."""
    return Factor(matrix.reshape(*matrix.shape, *[1] * axes))


def along(weight: Tensor, axis: int, axes: int, groups: int) -> Factor:
    """Filters [out, in / groups, k] along one axis."""
    shape = [1] * axes
    shape[axis] = weight.shape[-1]
    return Factor(weight.reshape(*weight.shape[:2], *shape), groups, (axis,))


def outer(ways: Sequence[Tensor]) -> Tensor:
    """Entrywise outer product over the last axis: [.., k_1], .., [.., k_d] -> [.., k_1, .., k_d]."""
    made = ways[0]
    for at, way in enumerate(ways[1:], start=1):
        made = made.unsqueeze(-1) * way.reshape(*way.shape[:-1], *[1] * at, way.shape[-1])
    return made


def split(filters: Tensor, kernel: Sequence[int]) -> tuple[Tensor, ...]:
    """Filters of all axes side by side [.., k_1 + .. + k_d] -> views [.., k_a]."""
    ends = list(accumulate(kernel))
    return tuple(filters[..., end - k : end] for k, end in zip(kernel, ends, strict=True))
