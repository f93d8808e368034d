"""Windows that slide over the axes of a map, as the poolings have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._numpy import allocatable
from .schema import Attribute

Array = NDArray[Any]

ATTRIBUTES = (
    Attribute("auto_pad", "string", default="NOTSET", choices=("NOTSET",)),
    Attribute("ceil_mode", "int", default=0, choices=(0, 1)),
    Attribute("dilations", "ints", optional=True),
    Attribute("kernel_shape", "ints"),
    Attribute("pads", "ints", optional=True),
    Attribute("strides", "ints", optional=True),
)


@dataclass(frozen=True)
class Windows:
    """Per axis: its size, and the windows' size, stride, dilation and the cells put before and after it."""

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    ceil: bool

    @cached_property
    def outputs(self) -> tuple[int, ...]:
        """Windows per axis; with `ceil` also one that begins inside but ends outside."""
        found = []
        for n, k, s, d, b, a in zip(
            self.sizes, self.kernel, self.strides, self.dilations, self.before, self.after, strict=True
        ):
            room = n + b + a - (d * (k - 1) + 1)
            count = (-(-room // s) if self.ceil else room // s) + 1
            if self.ceil and (count - 1) * s >= n + b:
                count -= 1
            if room < 0 or count < 1:
                raise ValueError(f"expected windows within {n} cells and pads {b} and {a}, got {k} with dilation {d}")
            found.append(count)
        return tuple(found)

    def cells(self, axis: int, *, padded: bool) -> NDArray[np.int64]:
        """Cells of each window of an axis that count: those inside, with `padded` those of the pads too."""
        at = np.arange(self.outputs[axis])[:, None] * self.strides[axis] - self.before[axis]
        at = at + np.arange(self.kernel[axis]) * self.dilations[axis]
        low, high = (-self.before[axis], self.sizes[axis] + self.after[axis]) if padded else (0, self.sizes[axis])
        return np.asarray(((at >= low) & (at < high)).sum(1), np.int64)

    def gathered(self, x: Array, outside: float) -> Array:
        """x [N, C, *sizes] -> [*kernel, N, C, *outputs], the cells of the windows; `outside` where there are none."""
        ends = [
            max(a, (m - 1) * s + (k - 1) * d + 1 - n - b)
            for n, k, s, d, b, a, m in zip(
                self.sizes,
                self.kernel,
                self.strides,
                self.dilations,
                self.before,
                self.after,
                self.outputs,
                strict=True,
            )
        ]
        allocatable((*self.kernel, *x.shape[:2], *self.outputs))
        around = [(0, 0), (0, 0), *zip(self.before, ends, strict=True)]
        wide = np.pad(x, around, constant_values=outside)
        made = np.empty((*self.kernel, *x.shape[:2], *self.outputs), x.dtype)
        for place in np.ndindex(*self.kernel):
            starts = [i * d for i, d in zip(place, self.dilations, strict=True)]
            cut = [slice(b, b + (m - 1) * s + 1, s) for b, m, s in zip(starts, self.outputs, self.strides, strict=True)]
            made[place] = wide[(slice(None), slice(None), *cut)]
        return made


def windows(sizes: Sequence[int], attributes: Mapping[str, Any]) -> Windows:
    """The windows of a pooling over axes of these sizes; ValueError where its attributes do not fit them."""
    rank = len(sizes)
    ones, zeros = (1,) * rank, (0,) * (2 * rank)
    given = {n: attributes.get(n) for n in ("strides", "dilations", "pads")}
    kernel = tuple(attributes["kernel_shape"])
    strides, dilations, pads = (given["strides"] or ones, given["dilations"] or ones, given["pads"] or zeros)
    if rank < 1 or {len(kernel), len(strides), len(dilations), len(pads) // 2} != {rank} or len(pads) % 2:
        raise ValueError(f"expected kernel_shape, strides, dilations and pads of {rank} axes, got {dict(attributes)}")
    if min(*kernel, *strides, *dilations) < 1:
        raise ValueError(f"expected kernel_shape, strides and dilations above 0, got {dict(attributes)}")
    if any(not 0 <= p < k for p, k in zip(pads, (*kernel, *kernel), strict=True)):
        raise ValueError(f"expected pads of 0 to less than the kernel {list(kernel)}, got {list(pads)}")
    return Windows(
        tuple(map(int, sizes)),
        kernel,
        tuple(strides),
        tuple(dilations),
        tuple(pads[:rank]),
        tuple(pads[rank:]),
        bool(attributes["ceil_mode"]),
    )
