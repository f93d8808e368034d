"""golden.npz: inputs and the reference network's outputs for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .boxcheck import first_outside
from .errors import BundleError
from .fields import words
from .manifest import InputSpec, Manifest, OutputSpec


@dataclass(frozen=True)
class Golden:
    """Inputs and reference outputs by name; sizes gives the number behind each symbol."""

    inputs: Mapping[str, NDArray[np.floating]]
    outputs: Mapping[str, NDArray[np.floating]]
    sizes: Mapping[str, int]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.floating]], manifest: Manifest, where: str) -> Golden:
        """Checks names, dtypes, shapes and values; raises BundleError naming `where` and the member."""
        expected = [f"input/{s.name}" for s in manifest.inputs] + [f"output/{s.name}" for s in manifest.outputs]
        if sorted(arrays) != sorted(expected):
            raise BundleError(f"{where}: expected members {', '.join(expected)}, got {words(sorted(arrays))}")
        sizes: dict[str, int] = {}
        for spec in manifest.inputs:
            _check_input(arrays[f"input/{spec.name}"], spec, sizes, f"{where}: input/{spec.name}")
        for out in manifest.outputs:
            _check_output(arrays[f"output/{out.name}"], out, sizes, f"{where}: output/{out.name}")
        inputs = {s.name: arrays[f"input/{s.name}"] for s in manifest.inputs}
        return cls(inputs, {s.name: arrays[f"output/{s.name}"] for s in manifest.outputs}, sizes)


def _check_input(array: NDArray[np.floating], spec: InputSpec, sizes: dict[str, int], where: str) -> None:
    if array.dtype.name != spec.dtype:
        raise BundleError(f"{where} expected {spec.dtype}, got {array.dtype.name}")
    rows, width = spec.shape
    fits = array.ndim == 2 and array.shape[1] == width and array.shape[0] > 0
    if not fits or sizes.setdefault(rows, array.shape[0]) != array.shape[0]:
        raise BundleError(f"{where} expected shape [{sizes.get(rows, rows)}, {width}], got {list(array.shape)}")
    if not np.isfinite(array).all():
        raise BundleError(f"{where} expected finite values, got NaN or infinity")
    if outside := first_outside(array, spec):
        raise BundleError(f"{where} expected values in the box, got {outside}")


def _check_output(array: NDArray[np.floating], spec: OutputSpec, sizes: dict[str, int], where: str) -> None:
    if array.dtype.name not in {spec.dtype, "float64"}:
        raise BundleError(f"{where} expected {spec.dtype} or float64, got {array.dtype.name}")
    shape = [sizes[n] if isinstance(n, str) else n for n in spec.shape]
    if list(array.shape) != shape:
        raise BundleError(f"{where} expected shape {shape}, got {list(array.shape)}")
    bad = np.isnan(array) if spec.diagnostic else ~np.isfinite(array)
    if bad.any():
        raise BundleError(f"{where} expected {'numbers' if spec.diagnostic else 'finite values'}, got NaN or infinity")
