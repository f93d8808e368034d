"""Numpy reference: the definition of the op."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelFileError
from .._numpy import MAX_ELEMENTS


def run(inputs: Sequence[NDArray[Any] | None], attributes: Mapping[str, Any]) -> tuple[NDArray[Any], ...]:
    """(coefficients @ basis) * scale; ModelFileError for another type of basis or sizes that do not fit."""
    del attributes
    coefficients, basis, scale = (np.asarray(v) for v in inputs)
    check(coefficients.shape, basis.shape, scale.shape)
    if basis.dtype not in (np.float16, coefficients.dtype):
        raise ModelFileError(f"basis_readout: basis: expected float16 or {coefficients.dtype}, got {basis.dtype}")
    return (coefficients @ basis.astype(coefficients.dtype, copy=False) * scale,)


def check(coefficients: Sequence[int], basis: Sequence[int], scale: Sequence[int]) -> None:
    """ModelFileError where the shapes of the inputs do not fit each other."""
    if len(basis) != 2 or 0 in basis or len(coefficients) != 2 or coefficients[1] != basis[0]:
        expected = f"basis [{coefficients[-1] if coefficients else 'K'}, N]"
        raise ModelFileError(f"basis_readout: expected coefficients [B, K] and {expected}, got {list(basis)}")
    if len(scale) != 1 or scale[0] not in (1, basis[1]):
        raise ModelFileError(f"basis_readout: scale: expected 1 or {basis[1]} numbers, got {list(scale)}")
    if coefficients[0] * basis[1] > MAX_ELEMENTS:
        raise ModelFileError(f"basis_readout: expected at most {MAX_ELEMENTS} outputs, got {list(coefficients)}")
