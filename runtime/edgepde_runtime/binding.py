"""Binding a model to the caller's arrays: checked once, neither copied nor cast."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .backends import Backend
from .bound import Bound, CheckedBound, NativeBound
from .errors import InputError
from .inputs import same_rows
from .manifest import InputSpec, Manifest, OutputSpec

Array = NDArray[np.floating]


def bind(
    manifest: Manifest, backend: Backend, inputs: Mapping[str, object], out: object, policy: str, checked: bool = False
) -> Bound:
    """A callable on these arrays; outputs that are not given are made. checked: the box is not the compiled code's.

    Raises InputError naming an array that is not C-contiguous or aligned, has the wrong dtype or shape, or shares
    memory with another.
    """
    own = {spec.name: _own(spec, inputs[spec.name]) for spec in manifest.inputs}
    sizes = same_rows(manifest.inputs, own)
    given = _by_name(out, manifest)
    targets = {spec.name: _target(spec, given.get(spec.name), sizes) for spec in manifest.outputs}
    _apart(own, targets)
    kind = NativeBound if hasattr(backend, "prebuilt") and not checked else CheckedBound
    return kind(manifest, backend, own, targets, policy)


def _usable(name: str, value: object, dtype: str, shape: list[object], writeable: bool) -> Array:
    what = f"{name}: expected a C-contiguous {'writeable ' if writeable else ''}{dtype} array {shape}"
    if not isinstance(value, np.ndarray):
        raise InputError(f"{what}, got {type(value).__name__}")
    fits = value.ndim == len(shape) and all(
        isinstance(n, str) or n == m for n, m in zip(shape, value.shape, strict=True)
    )
    if value.dtype != np.dtype(dtype) or not fits or 0 in value.shape:
        raise InputError(f"{what}, got {value.dtype} {list(value.shape)}")
    if not value.flags.c_contiguous or not value.flags.aligned or (writeable and not value.flags.writeable):
        raise InputError(f"{what}, got one that is not")
    return value


def _own(spec: InputSpec, value: object) -> Array:
    return _usable(f"input {spec.name}", value, spec.dtype, list(spec.shape), False)


def _target(spec: OutputSpec, value: object, sizes: Mapping[str, int]) -> Array:
    shape = [sizes[n] if isinstance(n, str) else n for n in spec.shape]
    if value is None:
        return np.empty(shape, dtype=spec.dtype)
    return _usable(f"output {spec.name}", value, spec.dtype, list(shape), True)


def _by_name(out: object, manifest: Manifest) -> Mapping[str, object]:
    names = [spec.name for spec in manifest.outputs]
    if out is None:
        return {}
    if isinstance(out, Mapping):
        if unknown := set(out) - set(names):
            raise InputError(f"out: {min(unknown)!a} is no output; expected {', '.join(names)}")
        return out
    values = [out] if isinstance(out, np.ndarray) else out
    if not isinstance(values, list | tuple) or len(values) != len(names):
        raise InputError(f"out: expected arrays for {', '.join(names)}, got {type(out).__name__}")
    return dict(zip(names, values, strict=True))


def _apart(inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
    arrays = [(f"input {n}", a) for n, a in inputs.items()] + [(f"output {n}", a) for n, a in outputs.items()]
    for i in range(len(inputs), len(arrays)):
        for name, array in arrays[:i]:
            if np.may_share_memory(array, arrays[i][1]):
                raise InputError(f"{arrays[i][0]}: expected memory of its own, got that of {name}")
