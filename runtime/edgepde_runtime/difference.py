"""|reference network - device| at places of a bundle's inputs, in the arithmetic of one backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from .backends import Backend
from .diagnostics import residual_flags
from .errors import BundleError, EdgePDEError
from .inputs import NOT_CONVERGED
from .inputspace import InputSpace
from .manifest import Manifest, OutputSpec

Array = NDArray[np.float64]
Arrays = Mapping[str, NDArray[np.floating]]
GRID = 8
SKIPPED = -1.0


@final
class Difference:
    """max over an output's values of |reference - device| for every place, [n, m] for m outputs.

    A place counts SKIPPED where it is not one of the inputs meant or the device says that it did not converge, and as
    infinite where the device gives no finite value. Raises BundleError where the reference gives none.
    """

    def __init__(
        self, manifest: Manifest, space: InputSpace, outputs: Sequence[str], device: Backend, reference: Backend
    ) -> None:
        self._manifest, self._space = manifest, space
        self._specs = [spec for name in outputs for spec in manifest.outputs if spec.name == name]
        self._device, self._reference = device, reference
        self._symbols = list(dict.fromkeys(spec.shape[0] for spec in manifest.inputs))

    def __call__(self, places: Array) -> Array:
        """The differences at places [n, D] of the unit cube."""
        arrays, valid = self._space.inputs(places)
        if len(self._symbols) == 1:
            values = self.at(arrays)
        else:
            # Rows of several symbols make a grid, of which the diagonal is meant.
            pieces = [slice(i, i + GRID) for i in range(0, len(places), GRID)]
            values = np.concatenate([self.at({name: a[piece] for name, a in arrays.items()}) for piece in pieces])
        return np.where(valid[:, None], values, SKIPPED)

    def at(self, arrays: Arrays) -> Array:
        """The differences of inputs that have the same number of rows, [n, m]."""
        rows = len(next(iter(arrays.values())))
        exact = self._exact(arrays)
        got = self._device.run(dict(arrays))
        outputs = {spec.name: np.asarray(got[spec.name]) for spec in self._manifest.outputs}
        failed = residual_flags(self._manifest, outputs)
        columns = []
        for spec in self._specs:
            column = _apart(outputs[spec.name], np.asarray(exact[spec.name]), spec, rows)
            for symbol, flags in failed.items():
                if symbol in spec.shape:
                    column = np.where(flags & NOT_CONVERGED, SKIPPED, column)
            columns.append(column)
        return np.stack(columns, axis=1)

    def _exact(self, arrays: Arrays) -> Mapping[str, NDArray[np.generic]]:
        try:
            return self._reference.run({name: array.astype(np.float64) for name, array in arrays.items()})
        except EdgePDEError as error:
            raise BundleError(f"reference.npz: cannot be evaluated: {error}") from None


def _apart(device: NDArray[np.floating], reference: NDArray[np.floating], spec: OutputSpec, rows: int) -> Array:
    """The largest |reference - device| of every row, [n]."""
    if reference.shape != device.shape:
        shapes = f"expected shape {list(device.shape)}, got {list(reference.shape)}"
        raise BundleError(f"reference.npz: output {spec.name} {shapes}")
    if not np.isfinite(reference).all():
        raise BundleError(f"reference.npz: output {spec.name} expected finite values in the box, got NaN or infinity")
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(device.astype(np.float64) - reference)
    apart = np.where(np.isfinite(apart), apart, np.inf)
    symbols = [axis for axis, size in enumerate(spec.shape) if isinstance(size, str)]
    if len(symbols) == 1:
        return np.moveaxis(apart, symbols[0], 0).reshape(rows, -1).max(axis=1)
    place = [tuple(i if isinstance(size, str) else slice(None) for size in spec.shape) for i in range(rows)]
    return np.array([apart[at].max() for at in place])
