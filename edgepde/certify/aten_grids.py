"""Convolutions, poolings and grids of an exported graph: one entry of GRIDS per operation."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from . import convolving, deriving
from .aten_views import Rule
from .building import Builder, Value
from .composing import Array, array

PADS = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def each(axes: int, value: Any, default: int | None = None) -> tuple[int, ...]:
    """One number per axis; an empty list stands for the default."""
    given = [value] if isinstance(value, int) else list(value if value is not None else [])
    if not given and default is not None:
        given = [default]
    return tuple(int(v) for v in (given * axes if len(given) == 1 else given))


def _kernel(b: Builder, weight: Any, bias: Any) -> tuple[Array, Array | None]:
    if isinstance(weight, Value) or isinstance(bias, Value):
        raise b.refuse("expected constant weights")
    return array(weight), None if bias is None else array(bias)


def _conv(
    b: Builder,
    x: Value,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Value:
    held, shift = _kernel(b, weight, bias)
    axes = held.ndim - 2
    dilations = each(axes, dilation)
    if padding == "same":
        whole = [d * (k - 1) for d, k in zip(dilations, held.shape[2:], strict=True)]
        pads = (*(w // 2 for w in whole), *(w - w // 2 for w in whole))
    else:
        pads = each(axes, 0 if padding == "valid" else padding) * 2
    return convolving.convolved(b, x, held, shift, each(axes, stride), pads, dilations, groups)


def _conv_transpose(
    b: Builder,
    x: Value,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Value:
    held, shift = _kernel(b, weight, bias)
    axes = held.ndim - 2
    before = each(axes, padding)
    after = tuple(p - more for p, more in zip(before, each(axes, output_padding), strict=True))
    spread = (each(axes, stride), before + after, each(axes, dilation), groups)
    return convolving.convolved(b, x, held, shift, *spread, transposed=True)


def _convolution(
    b: Builder,
    x: Value,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    *_: Any,
) -> Value:
    if transposed:
        return _conv_transpose(b, x, weight, bias, stride, padding, output_padding, groups, dilation)
    return _conv(b, x, weight, bias, stride, padding, dilation, groups)


def _factorized(
    b: Builder,
    x: Value,
    read: Any,
    filters: Any,
    write: Any,
    bias: Any,
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    *_: Any,
) -> Value:
    if any(isinstance(v, Value) for v in (read, filters, write, bias)):
        raise b.refuse("expected constant factors")
    held = [array(v) for v in (read, filters, write, bias)]
    return convolving.factorized(b, x, (held[0], held[1], held[2], held[3]), kernel, strides, pads, dilations)


def _derivatives(b: Builder, x: Value, *given: Any) -> Value:
    if any(isinstance(v, Value) for v in given):
        raise b.refuse("expected constant taps, orders and factors")
    *taps, orders, combine = given
    held = [array(v) for v in taps]
    return deriving.derivatives(b, x, held, np.asarray(orders.cpu()), array(combine))


def _resized(mode: str) -> Rule:
    """Axis by axis: nearest entries, or matrices as torch makes them in float64."""

    def read(b: Builder, x: Value, size: Any = None, *rest: Any, **named: Any) -> Value:
        corners = bool(named.get("align_corners", rest[0] if rest and isinstance(rest[0], bool) else False))
        given = [r for r in rest if not isinstance(r, bool)]
        listed = given[0] if given and isinstance(given[0], list | tuple) else given
        factors = named.get("scale_factors", listed if len(listed) == len(x.shape) - 2 else None)
        for axis in reversed(range(len(x.shape) - 2)):
            n = x.shape[2 + axis]
            scale = float(factors[axis]) if factors and factors[axis] is not None else None
            made = math.floor(n * (scale or 1.0)) if not size else int(size[axis])
            scale = scale if scale is not None and math.floor(n * scale) == made else None
            stretched = functools.partial(_stretched, mode=mode, made=made, scale=scale, corners=corners)
            if mode == "nearest":
                places = stretched(torch.arange(float(n), dtype=torch.float64)[None, None])
                x = convolving.moved(x, 2 + axis, places[0, 0].to(torch.int64).numpy())
                continue
            matrix = convolving.by_unit_vectors(n, stretched)
            if not np.array_equal(matrix, np.eye(n)):
                x = convolving.along(b, x, 2 + axis, matrix, sparse=True, computed=True, roundings=6)
        return x

    return read


def _stretched(rows: torch.Tensor, mode: str, made: int, scale: float | None, corners: bool) -> torch.Tensor:
    """Rows [N, 1, n] with `made` entries; cubic there is of two axes only."""
    bent = rows[..., None] if mode == "cubic" else rows
    ones = (1,) if mode == "cubic" else ()
    size = None if scale is not None else (made, *ones)
    factor = None if scale is None else (scale, *(1.0 for _ in ones))
    name = {"cubic": "bicubic"}.get(mode, mode)
    done = functional.interpolate(
        bent, size=size, scale_factor=factor, mode=name, align_corners=None if mode == "nearest" else corners
    )
    return done[..., 0] if mode == "cubic" else done


def _avg_pool(
    b: Builder,
    x: Value,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil: bool = False,
    padded: bool = True,
    divisor: int | None = None,
) -> Value:
    if divisor is not None:
        raise b.refuse(f"no certificate rule for a mean with divisor {divisor}")
    axes = len(x.shape) - 2
    kernels = each(axes, kernel)
    strides, pads = each(axes, stride) or kernels, each(axes, padding)
    matrices = []
    for axis, (k, s, p) in enumerate(zip(kernels, strides, pads, strict=True)):
        made = convolving.by_unit_vectors(
            x.shape[2 + axis],
            lambda unit, k=k, s=s, p=p: functional.avg_pool1d(unit, k, s, p, ceil, padded),  # type: ignore[misc]
        )
        matrices.append((2 + axis, made))
    return convolving.averaged(b, x, matrices)


def _adaptive(b: Builder, x: Value, size: Any) -> Value:
    axes = len(x.shape) - 2
    matrices = []
    for axis, m in enumerate(each(axes, size)):
        made = convolving.by_unit_vectors(
            x.shape[2 + axis],
            lambda unit, m=m: functional.adaptive_avg_pool1d(unit, m),  # type: ignore[misc]
        )
        matrices.append((2 + axis, made))
    return convolving.averaged(b, x, matrices)


def _max_pool(
    b: Builder, x: Value, kernel: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil: bool = False
) -> Value:
    axes = len(x.shape) - 2
    kernels, pads, dilations = each(axes, kernel), each(axes, padding), each(axes, dilation)
    strides = each(axes, stride) or kernels
    for axis in range(axes):
        n, k, s, p, d = x.shape[2 + axis], kernels[axis], strides[axis], pads[axis], dilations[axis]
        outputs = functional.max_pool1d(torch.zeros(1, 1, n), k, s, p, d, ceil).shape[-1]
        x = convolving.largest_in(b, x, 2 + axis, convolving.windows(n, outputs, k, s, p, d))
    return x


def _padded(mode: str) -> Rule:
    return lambda b, x, pad: surrounded(b, x, pad, mode)


def surrounded(b: Builder, x: Value, pad: Sequence[int], mode: str) -> Value:
    """Pads as torch has them, the last axis first, in one of its modes other than constant."""
    around = [(0, 0)] * (x.index.ndim - len(pad) // 2)
    around += [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    if min(pad) < 0:
        raise b.refuse(f"expected pads >= 0 with mode {mode!r}, got {list(pad)}")
    return convolving.surrounded(b, x, around, PADS[mode])


def _shuffled(_b: Builder, x: Value, factor: int) -> Value:
    n, c, rows, columns = x.shape
    apart = x.index.reshape(n, c // factor**2, factor, factor, rows, columns).transpose(0, 1, 4, 2, 5, 3)
    return Value(x.node, apart.reshape(n, c // factor**2, rows * factor, columns * factor))


GRIDS: dict[str, Rule] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _conv_transpose),
    **dict.fromkeys(("convolution", "_convolution"), _convolution),
    "factorized_conv": _factorized,
    "mollified_derivative": _derivatives,
    **{f"upsample_nearest{d}d": _resized("nearest") for d in (1, 2, 3)},
    **dict.fromkeys(("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"), _resized("linear")),
    "upsample_bicubic2d": _resized("cubic"),
    **{f"avg_pool{d}d": _avg_pool for d in (1, 2, 3)},
    **{f"adaptive_avg_pool{d}d": _adaptive for d in (1, 2, 3)},
    **{f"max_pool{d}d": _max_pool for d in (1, 2, 3)},
    **{f"reflection_pad{d}d": _padded("reflect") for d in (1, 2, 3)},
    **{f"replication_pad{d}d": _padded("replicate") for d in (1, 2, 3)},
    "pixel_shuffle": _shuffled,
}
