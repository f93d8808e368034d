"""Which rows are no answer, by residual or for a value that is not finite, and what becomes of their values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .inputs import ABOVE_THRESHOLD, NOT_CONVERGED
from .manifest import Manifest

Array = NDArray[np.floating]


Flags = dict[str, NDArray[np.int32]]


def row_flags(manifest: Manifest, outputs: Mapping[str, Array]) -> Flags:
    """Flags 2 and 4 of rows, int32 [n] by symbol: by the residuals, and 2 where an output is not finite."""
    flags = residual_flags(manifest, outputs)
    for symbol, rows in finite_flags(manifest, outputs).items():
        flags[symbol] = flags[symbol] | rows if symbol in flags else rows
    return flags


def finite_flags(manifest: Manifest, outputs: Mapping[str, Array]) -> Flags:
    """Flag 2 of the rows in which an output that is not diagnostic holds NaN or infinity, int32 [n] by symbol.

    The symbol is the first in the output's shape; "" with a single row where it has none.
    """
    flags: Flags = {}
    for spec in manifest.outputs:
        if spec.diagnostic or (finite := np.isfinite(outputs[spec.name])).all():
            continue
        axis = next((i for i, size in enumerate(spec.shape) if isinstance(size, str)), None)
        symbol = "" if axis is None else str(spec.shape[axis])
        whole = finite.all(axis=tuple(i for i in range(finite.ndim) if i != axis))
        rows = np.where(np.atleast_1d(whole), 0, NOT_CONVERGED).astype(np.int32)
        flags[symbol] = flags[symbol] | rows if symbol in flags else rows
    return flags


def residual_flags(manifest: Manifest, outputs: Mapping[str, Array]) -> Flags:
    """Flags 2 and 4 of the rows behind each residual's symbol, int32 [n] by symbol."""
    flags: Flags = {}
    for spec in manifest.outputs:
        if spec.threshold is None:
            continue
        residual = np.asarray(outputs[spec.name], dtype=np.float64)
        rows = np.where(np.isfinite(residual), 0, NOT_CONVERGED)
        with np.errstate(invalid="ignore"):
            above = (np.abs(residual) > spec.threshold) & np.isfinite(residual)
        rows = (rows | np.where(above, ABOVE_THRESHOLD, 0)).astype(np.int32)
        symbol = str(spec.shape[0])
        flags[symbol] = flags[symbol] | rows if symbol in flags else rows
    return flags


def blank(manifest: Manifest, outputs: Mapping[str, Array], flags: Mapping[str, NDArray[np.int32]]) -> dict[str, Array]:
    """Outputs with NaN in every row that did not converge, so that none of it passes for an answer."""
    kept = dict(outputs)
    for symbol, rows in flags.items():
        failed = (rows & NOT_CONVERGED) != 0
        if not failed.any():
            continue
        for spec in manifest.outputs:
            if spec.diagnostic:
                continue
            array = kept[spec.name]
            if not array.flags.writeable:
                array = array.copy()
            axes = [i for i, size in enumerate(spec.shape) if size == symbol]
            for where in [(slice(None),) * axis + (failed,) for axis in axes] or [()]:
                array[where] = np.nan
            kept[spec.name] = array
    return kept
