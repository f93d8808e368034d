"""What replacing a kernel does: the true norm of the residual, and bounds of what it can do to an output."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from .fitting._rows import spans
from .geometry import Geometry

GRIDS = (8, 6, 4, 3)  # frequencies per axis, in units of the kernel's size: the finest that is not too many
FREQUENCIES, NUMBERS = 1 << 12, 1 << 22  # of the grid, and of the symbol there, at most
ROUNDING = 1e-10  # of the transform, relative to the sum of |entries|


@final
@dataclass(frozen=True)
class KernelError:
    """D = K - K', of factors as they are stored, in float64.

    absolute: |D|. relative: |D| / |K| (absolute where K is 0). sup: max |output error| <= sup * max |input|.
    spectral: |output error|_2 <= spectral * |input|_2, on every grid and for every stride and padding of the layer.
    """

    absolute: float
    relative: float
    sup: float
    spectral: float


def residual(
    where: Geometry,
    kernel: Callable[[int, int], Tensor],
    other: Callable[[int, int], Tensor],
    bounds: bool = True,
) -> KernelError:
    """The error of `other` in place of `kernel`; both give K [stop - start, S, k_1..k_d] of outputs start .. stop - 1.

    sup is the largest sum of |D| over all that one output reads. spectral is the smaller of two: sqrt(largest sum over
    what an output reads * largest sum over what an input feeds), and the largest norm of the symbol D(w) = sum_j D_j
    exp(i j w) over an even grid of frequencies, divided by prod_a sqrt(cos(pi (k_a - 1) / M_a)): |v* D(w) u|^2 is a
    trigonometric polynomial of degree k_a - 1 in w_a, and one of degree n is, at the nearest of M even points to its
    maximum, at least cos(pi n / M) times that (M. Riesz). Without `bounds` spectral is the first of the two.
    """
    squares = whole = 0.0
    by_output, by_input, symbols = [], torch.zeros(where.inputs, dtype=torch.float64), []
    sizes = frequencies(where) if bounds else None
    for start, stop in spans(where):
        dense = kernel(start, stop).detach().double()
        left = dense - other(start, stop).detach().double()
        squares, whole = squares + float(left.square().sum()), whole + float(dense.square().sum())
        by_output.append(left.abs().flatten(1).sum(dim=1))
        by_input += left.abs().flatten(2).sum(dim=(0, 2))
        if sizes is not None:
            symbols.append(torch.fft.rfftn(left, s=sizes, dim=tuple(range(2, left.dim()))).flatten(2))
    outputs = torch.cat(by_output)
    spectral = math.sqrt(float(outputs.max()) * float(by_input.max())) * (1 + 1e-12)
    if sizes is not None:
        spectral = min(spectral, _symbol(where, sizes, symbols, float(outputs.sum())))
    absolute = math.sqrt(squares)
    relative = absolute / math.sqrt(whole) if whole else absolute
    return KernelError(absolute, relative, float(outputs.max()), spectral * math.sqrt(repeats(where)))


def frequencies(where: Geometry) -> tuple[int, ...] | None:
    """Points of the grid on each axis; None where even a coarse one is too much for this kernel."""
    for fine in GRIDS:
        sizes = tuple(fine * k if k > 1 else 1 for k in where.kernel)
        points = math.prod(sizes)
        if points <= FREQUENCIES and points * where.inputs * where.outputs <= NUMBERS:
            return sizes
    return None


def repeats(where: Geometry) -> float:
    """How often padding can repeat a value of the input, at most."""
    if where.padding_mode == "zeros":
        return 1.0
    if where.padding_mode == "replicate":
        return float(math.prod(1 + before + after for before, after in where.padding))
    return 3.0 ** sum(any(pair) for pair in where.padding)  # itself, and once beyond either end


def _symbol(where: Geometry, sizes: tuple[int, ...], symbols: list[Tensor], entries: float) -> float:
    """Frequencies whose negative is in the grid of the real transform have the same norm."""
    field = torch.cat(symbols).movedim(2, 0).contiguous()  # [frequencies, T, S]
    largest = max(float(torch.linalg.matrix_norm(part, 2).max()) for part in field.split(256))
    share = math.prod(math.cos(math.pi * (k - 1) / m) for k, m in zip(where.kernel, sizes, strict=True))
    return (largest + ROUNDING * entries) / math.sqrt(share)
