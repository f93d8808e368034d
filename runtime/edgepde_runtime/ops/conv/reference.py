"""Y = B + a cross-correlation of X with W over one to three axes, channels in groups."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import ModelFileError
from ...windows import Window, padded, window
from .._numpy import Inputs, Outputs, allocatable, optional, present

NAME = "Conv"


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """y[n, m, i] = sum_s sum_j w[m, s, j] x[n, s + its group's first, stride i + dilation j - pad]."""
    x, w = present(inputs[:2])
    bias, group = optional(inputs, 2), int(attributes["group"])
    made, places = check(x.shape, w.shape, None if bias is None else bias.shape, attributes)
    wide = np.pad(x, [(0, 0), (0, 0), *zip(made.before, made.after, strict=True)])
    stacked = wide.reshape(len(x), group, x.shape[1] // group, *wide.shape[2:])
    kernels = w.reshape(group, len(w) // group, *w.shape[1:])
    y = np.zeros((len(x), group, len(w) // group, *places), x.dtype)
    for tap in itertools.product(*map(range, made.kernel)):
        at: tuple[Any, ...] = (..., *tap)
        cut = tuple(
            slice(d * j, d * j + s * (m - 1) + 1, s)
            for j, d, s, m in zip(tap, made.dilations, made.strides, places, strict=True)
        )
        y += np.einsum("gts,bgs...->bgt...", kernels[at], stacked[(slice(None),) * 3 + cut])
    flat = y.reshape(len(x), len(w), *places)
    return (flat if bias is None else flat + bias.reshape(-1, *[1] * len(places)),)


def check(
    x: tuple[int, ...], w: tuple[int, ...], bias: tuple[int, ...] | None, attributes: Mapping[str, Any]
) -> tuple[Window, tuple[int, ...]]:
    """The window with its pads and the grid of the result, from shapes; ModelFileError where they do not fit."""
    group = int(attributes["group"])
    if len(x) != len(w) or 0 in w:
        raise ModelFileError(f"{NAME}: W: expected {len(x)} sizes above 0 as X has, got {list(w)}")
    made = window(NAME, len(x) - 2, attributes, w[2:])
    if made.kernel != w[2:]:
        raise ModelFileError(f"{NAME}: kernel_shape: expected {list(w[2:])} as W has, got {list(made.kernel)}")
    if group < 1 or w[0] % group or x[1] != group * w[1]:
        raise ModelFileError(f"{NAME}: W: expected {group} groups of {x[1]} channels, got shape {list(w)}")
    if bias is not None and bias != w[:1]:
        raise ModelFileError(f"{NAME}: B: expected shape [{w[0]}], got {list(bias)}")
    made = padded(NAME, made, x[2:], str(attributes["auto_pad"]), attributes.get("pads"))
    places = made.places(NAME, x[2:])
    allocatable((x[0], w[0], *places))
    allocatable((x[0], x[1], *(n + b + a for n, b, a in zip(x[2:], made.before, made.after, strict=True))))
    return made, places
