"""torch's face of the op basis_readout, with gradients of every order."""

from __future__ import annotations

from typing import Any

import torch
from edgepde_runtime.errors import InputError, ModelFileError
from edgepde_runtime.ops.basis_readout.reference import check
from torch import Tensor


@torch.library.custom_op("edgepde::basis_readout", mutates_args=())
def basis_readout(coefficients: Tensor, basis: Tensor, scale: Tensor) -> Tensor:
    """y [B, N] = (coefficients [B, K] @ basis [K, N]) * scale [N] or [1]; basis of the same type or float16.

    InputError where types or sizes disagree.
    """
    for name, value, known in (("basis", basis, (torch.float16, coefficients.dtype)), ("scale", scale, ())):
        if value.dtype not in (known or (coefficients.dtype,)):
            raise InputError(f"basis_readout: {name}: expected {coefficients.dtype}, got {value.dtype}")
    try:
        check(coefficients.shape, basis.shape, scale.shape)
    except ModelFileError as error:
        raise InputError(str(error)) from error
    return (coefficients @ basis.to(coefficients.dtype)) * scale


@basis_readout.register_fake
def _(coefficients: Tensor, basis: Tensor, scale: Tensor) -> Tensor:
    del scale
    return coefficients.new_empty((coefficients.shape[0], basis.shape[1]))


def _remember(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    del output
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
    """Slopes by coefficients, basis and scale; differentiable once more, being torch's own operations."""
    coefficients, basis, scale = ctx.saved_tensors
    wide, (first, second, third) = basis.to(slope.dtype), ctx.needs_input_grad
    by_coefficients = (slope * scale) @ wide.t() if first else None
    by_basis = (coefficients.t() @ (slope * scale)).to(basis.dtype) if second else None
    by_scale = (slope * (coefficients @ wide)).sum(0) if third else None
    if by_scale is not None and len(scale) == 1:
        by_scale = by_scale.sum(0, keepdim=True)
    return by_coefficients, by_basis, by_scale


basis_readout.register_autograd(_backward, setup_context=_remember)
