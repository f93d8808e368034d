"""Residual outputs: which rows did not converge, and what becomes of their values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .inputs import ABOVE_THRESHOLD, NOT_CONVERGED
from .manifest import Manifest

Array = NDArray[np.floating]


def row_flags(manifest: Manifest, outputs: Mapping[str, Array]) -> dict[str, NDArray[np.int32]]:
    """Flags 2 and 4 of the rows behind each residual's symbol, int32 [n] by symbol."""
    flags: dict[str, NDArray[np.int32]] = {}
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
