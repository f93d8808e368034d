"""A model bound to the caller's arrays, for hot loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import final

import numpy as np
from numpy.typing import NDArray

from .backends import Backend
from .boxcheck import limits
from .diagnostics import blank, row_flags
from .errors import InputError
from .inputs import prepare, same_rows
from .manifest import InputSpec, Manifest, OutputSpec

Array = NDArray[np.floating]


@final
class Bound:
    """`flags = f()` reads `inputs` and writes `outputs` in place; flags is the OR of all rows' flags.

    Every call checks the values: NaN and infinity raise InputError, values outside the box OutOfBox unless flagged;
    rows that did not converge or are not finite become NaN in the outputs and flag 2. An array that no longer has the
    layout it was bound with raises InputError.
    """

    def __init__(
        self, manifest: Manifest, backend: Backend, inputs: Mapping[str, object], out: object, policy: str
    ) -> None:
        self._manifest, self._policy = manifest, policy
        self.inputs: Mapping[str, Array]
        self.outputs: Mapping[str, Array]
        self.inputs = MappingProxyType({spec.name: _own(spec, inputs[spec.name]) for spec in manifest.inputs})
        sizes = same_rows(manifest.inputs, self.inputs)
        given = _by_name(out, manifest)
        targets = {spec.name: _target(spec, given.get(spec.name), sizes) for spec in manifest.outputs}
        self.outputs = MappingProxyType(targets)
        _apart(self.inputs, self.outputs)
        self._call = _caller(backend, self.inputs, self.outputs)
        self._layouts = [(f"input {n}", a, a.shape, a.strides, a.dtype, False) for n, a in self.inputs.items()]
        self._layouts += [(f"output {n}", a, a.shape, a.strides, a.dtype, True) for n, a in self.outputs.items()]
        self._answers = [self.outputs[spec.name] for spec in manifest.outputs if not spec.diagnostic]
        self._checks = [(self.inputs[spec.name], spec, *_bounds(spec)) for spec in manifest.inputs]
        self._residual = any(spec.threshold is not None for spec in manifest.outputs)

    def __call__(self) -> int:
        """Checks, computes, returns the flags."""
        flags = 0
        for name, array, shape, strides, dtype, written in self._layouts:
            same = array.shape == shape and array.strides == strides and array.dtype == dtype
            if not same or (written and not array.flags.writeable):
                raise InputError(f"{name}: expected the {dtype} array {list(shape)} it was bound with, got it changed")
        for x, spec, low, high in self._checks:
            if not ((x >= low) & (x <= high)).all():
                flags |= int(np.bitwise_or.reduce(prepare(spec, x, self._policy, False).flags))
        self._call()
        if self._residual or not all(np.isfinite(answer).all() for answer in self._answers):
            rows = row_flags(self._manifest, self.outputs)
            blank(self._manifest, self.outputs, rows)
            for row in rows.values():
                flags |= int(np.bitwise_or.reduce(row))
        return flags


def _bounds(spec: InputSpec) -> tuple[Array, Array]:
    low, high = limits(spec)
    return low.astype(spec.dtype), high.astype(spec.dtype)


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


def _caller(backend: Backend, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> Callable[[], None]:
    bind: Callable[..., Callable[[], None]] | None = getattr(backend, "bind", None)
    if bind is not None:
        return bind(inputs, outputs)

    def call() -> None:
        for name, value in backend.run(inputs).items():
            np.copyto(outputs[name], value, casting="no")

    return call
