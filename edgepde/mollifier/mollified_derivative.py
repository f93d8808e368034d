"""torch's face of the op mollified_derivative: derivatives of fields on a grid, with gradients of every order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from edgepde_runtime.errors import InputError, ModelFileError
from edgepde_runtime.ops.mollified_derivative.reference import check, matrix
from torch import Tensor

AXES = (3, 2, 1)


def square(n: int, taps: Tensor) -> Tensor:
    """The matrix [n, n] that taps [R, W] stand for."""
    return torch.from_numpy(matrix(n, taps.detach().cpu().numpy())).to(taps)


def filtered(z: Tensor, axis: int, banded: Tensor) -> Tensor:
    """banded [n, n] times z along an axis."""
    return torch.movedim(torch.movedim(z, axis, -1) @ banded.T, -1, axis)


def products(x: Tensor, taps: Sequence[Tensor], orders: Tensor, *, adjoint: bool = False) -> list[Tensor]:
    """P_k x, last axis first; adjoint: P_k^T of entry k of x [K, ..], first axis first. Not-a-number spreads."""
    made: dict[tuple[int, int], Tensor] = {}
    known: dict[tuple[int, ...], Tensor] = {}
    found = []
    for k, order in enumerate(orders.tolist()):
        z = x[k] if adjoint else x
        for axis in reversed(AXES) if adjoint else AXES:
            q = order[axis - 1]
            if q < 0:
                continue
            if (axis, q) not in made:
                made[axis, q] = square(x.shape[axis - 4], taps[axis - 1][q])
            key = (axis, *order[axis - 1 :])
            if adjoint or key not in known:
                banded = made[axis, q].T if adjoint else made[axis, q]
                known[key] = filtered(z, axis, banded)
            z = known[key]
        found.append(z)
    return found


def combined(found: Sequence[Tensor], combine: Tensor) -> Tensor:
    """y [B, O, ..]: sums of fields [B, ..]; a field whose factor is 0 is no term."""
    rows = []
    for own in combine.tolist():
        y = torch.zeros_like(found[0])
        for factor, z in zip(own, found, strict=True):
            if factor:
                y = y + (z if factor == 1.0 else factor * z)
        rows.append(y)
    return torch.stack([row.contiguous() for row in rows], dim=1)


@torch.library.custom_op("edgepde::mollified_derivative", mutates_args=())
def mollified_derivative(
    x: Tensor, taps_1: Tensor, taps_2: Tensor, taps_3: Tensor, orders: Tensor, combine: Tensor
) -> Tensor:
    """y [B, O, n_1, n_2, n_3] for x [B, n_1, n_2, n_3]; meaning as in the op's schema. InputError where sizes disagree.

    Differentiable in x alone, to any order: the slope is the same with transposed matrices.
    """
    _check(x, (taps_1, taps_2, taps_3), orders, combine)
    return combined(products(x, (taps_1, taps_2, taps_3), orders), combine)


@mollified_derivative.register_fake
def _(x: Tensor, taps_1: Tensor, taps_2: Tensor, taps_3: Tensor, orders: Tensor, combine: Tensor) -> Tensor:
    del taps_1, taps_2, taps_3, orders
    return x.new_empty((x.shape[0], combine.shape[0], *x.shape[1:]))


@torch.library.custom_op("edgepde::mollified_adjoint", mutates_args=())
def mollified_adjoint(
    slope: Tensor, taps_1: Tensor, taps_2: Tensor, taps_3: Tensor, orders: Tensor, combine: Tensor
) -> Tensor:
    """x [B, n_1, n_2, n_3] = sum_k P_k^T sum_o combine[o, k] slope_o, the transpose of mollified_derivative."""
    shares = torch.einsum("ok,bolmn->kblmn", combine.to(slope.dtype), slope)
    found = products(shares, (taps_1, taps_2, taps_3), orders, adjoint=True)
    return torch.stack([z.contiguous() for z in found]).sum(dim=0)


@mollified_adjoint.register_fake
def _(slope: Tensor, taps_1: Tensor, taps_2: Tensor, taps_3: Tensor, orders: Tensor, combine: Tensor) -> Tensor:
    del taps_1, taps_2, taps_3, orders, combine
    return slope.new_empty((slope.shape[0], *slope.shape[2:]))


def _check(x: Tensor, taps: Sequence[Tensor], orders: Tensor, combine: Tensor) -> None:
    for name, value in zip(("taps_1", "taps_2", "taps_3", "combine"), (*taps, combine), strict=True):
        if value.dtype != x.dtype:
            raise InputError(f"mollified_derivative: {name}: expected {x.dtype}, got {value.dtype}")
    if x.dim() != 4 or any(t.dim() != 3 for t in taps) or combine.dim() != 2:
        shapes = [list(v.shape) for v in (x, *taps, combine)]
        raise InputError(f"mollified_derivative: expected x of rank 4, taps of rank 3, combine of rank 2, got {shapes}")
    try:
        check(x.shape, [t.shape for t in taps], np.asarray(orders.cpu()), combine.shape)
    except ModelFileError as error:
        raise InputError(str(error)) from error


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    del output
    ctx.save_for_backward(*inputs[1:])


def _slope(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
    return mollified_adjoint(slope, *ctx.saved_tensors), None, None, None, None, None


def _slope_of_slope(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
    return mollified_derivative(slope, *ctx.saved_tensors), None, None, None, None, None


mollified_derivative.register_autograd(_slope, setup_context=_remember)
mollified_adjoint.register_autograd(_slope_of_slope, setup_context=_remember)
