"""Y = B + X spread out with strides and convolved with W over one to three axes, channels in groups."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import ModelFileError
from ...windows import MOST, Window, window
from .._numpy import Inputs, Outputs, allocatable, optional, present

NAME = "ConvTranspose"


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """y[n, m, stride i + dilation j - pad] += sum_s w[s, m, j] x[n, s, i], s in the group of m, from the bias."""
    x, w = present(inputs[:2])
    bias, group = optional(inputs, 2), int(attributes["group"])
    made, places = check(x.shape, w.shape, None if bias is None else bias.shape, attributes)
    stacked = x.reshape(len(x), group, x.shape[1] // group, *x.shape[2:])
    kernels = w.reshape(group, len(w) // group, *w.shape[1:])
    wide = [m + b + a for m, b, a in zip(places, made.before, made.after, strict=True)]
    y = np.zeros((len(x), group, w.shape[1], *wide), x.dtype)
    for tap in itertools.product(*map(range, made.kernel)):
        at: tuple[Any, ...] = (..., *tap)
        cut = tuple(
            slice(d * j, d * j + s * (n - 1) + 1, s)
            for j, d, s, n in zip(tap, made.dilations, made.strides, x.shape[2:], strict=True)
        )
        y[(slice(None),) * 3 + cut] += np.einsum("gst,bgs...->bgt...", kernels[at], stacked)
    inner = tuple(slice(b, b + m) for b, m in zip(made.before, places, strict=True))
    flat = y[(slice(None),) * 3 + inner].reshape(len(x), group * w.shape[1], *places)
    return (flat if bias is None else flat + bias.reshape(-1, *[1] * len(places)),)


def check(
    x: tuple[int, ...], w: tuple[int, ...], bias: tuple[int, ...] | None, attributes: Mapping[str, Any]
) -> tuple[Window, tuple[int, ...]]:
    """The window and the grid of the result, from shapes; ModelFileError where they do not fit."""
    group = int(attributes["group"])
    if attributes.get("output_shape"):
        raise ModelFileError(f"{NAME}: output_shape: expected none, sizes follow from pads and output_padding")
    if len(x) != len(w) or 0 in w or 0 in x[1:]:
        raise ModelFileError(f"{NAME}: X, W: expected equal ranks and sizes above 0, got {list(x)} and {list(w)}")
    made = window(NAME, len(x) - 2, attributes, w[2:])
    if made.kernel != w[2:]:
        raise ModelFileError(f"{NAME}: kernel_shape: expected {list(w[2:])} as W has, got {list(made.kernel)}")
    if group < 1 or w[0] % group or x[1] != w[0]:
        raise ModelFileError(f"{NAME}: W: expected {x[1]} channels in {group} groups, got shape {list(w)}")
    if bias is not None and bias != (group * w[1],):
        raise ModelFileError(f"{NAME}: B: expected shape [{group * w[1]}], got {list(bias)}")
    places = _places(made, x[2:], attributes.get("output_padding") or (0,) * (len(x) - 2))
    allocatable((x[0], group * w[1], *(m + b + a for m, b, a in zip(places, made.before, made.after, strict=True))))
    return made, places


def _places(made: Window, grid: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    if len(more) != len(grid) or not all(0 <= n <= MOST for n in more):
        raise ModelFileError(f"{NAME}: output_padding: expected {len(grid)} numbers from 0 on, got {list(more)}")
    found = []
    for axis, (n, reach, extra) in enumerate(zip(grid, made.reaches, more, strict=True)):
        if extra >= max(made.strides[axis], made.dilations[axis]):
            raise ModelFileError(f"{NAME}: output_padding: expected less than stride or dilation, got {extra}")
        size = made.strides[axis] * (n - 1) + reach + extra - made.before[axis] - made.after[axis]
        if not 1 <= size <= MOST:
            raise ModelFileError(f"{NAME}: axis {axis + 2}: expected 1 to {MOST} points, got {size} for {n}")
        found.append(size)
    return tuple(found)
