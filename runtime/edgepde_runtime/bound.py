"""A model bound to the caller's arrays, for hot loops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from .backends import Backend
from .boxcheck import limits
from .diagnostics import blank, row_flags
from .errors import InputError
from .inputs import prepare, same_rows
from .manifest import InputSpec, Manifest

Array = NDArray[np.floating]


class Bound(ABC):
    """`flags = f()` reads `inputs` and writes `outputs` in place; flags is the OR of all rows' flags.

    Every call checks the values: NaN and infinity raise InputError, values outside the box OutOfBox unless flagged;
    rows that did not converge or are not finite become NaN in the outputs and flag 2.
    """

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]

    def __init__(self, manifest: Manifest, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        self._manifest = manifest
        self.inputs, self.outputs = MappingProxyType(dict(inputs)), MappingProxyType(dict(outputs))

    @abstractmethod
    def __call__(self) -> int:
        """Checks, computes, returns the flags."""


@final
class CheckedBound(Bound):
    """On a backend that computes and no more: values are checked here.

    An array that no longer has the layout it was bound with raises InputError.
    """

    def __init__(
        self,
        manifest: Manifest,
        backend: Backend,
        inputs: Mapping[str, Array],
        outputs: Mapping[str, Array],
        policy: str,
    ) -> None:
        super().__init__(manifest, inputs, outputs)
        self._policy = policy
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


@final
class NativeBound(Bound):
    """On compiled code, which checks the values itself: one foreign call, and words only where it was not 0.

    The arrays are held, so `resize` refuses them. Not protected against: `resize(refcheck=False)`, which frees memory
    that the code goes on using; an output made read-only after it was bound is written all the same. One thread at a
    time may call it, since calls share their scratch.
    """

    def __init__(
        self,
        manifest: Manifest,
        backend: Any,
        inputs: Mapping[str, Array],
        outputs: Mapping[str, Array],
        policy: str,
    ) -> None:
        super().__init__(manifest, inputs, outputs)
        self._policy, self._backend = policy, backend
        prebuilt = backend.prebuilt(self.inputs, self.outputs, policy == "raise")
        self._function, self._argument, self._kept = prebuilt.function, prebuilt.argument, prebuilt

    def __call__(self) -> int:
        """Computes, returns the flags."""
        result = self._function(self._argument)
        return self._told(result) if result else 0

    def _told(self, result: int) -> int:
        if result > 0:
            return result
        for spec in self._manifest.inputs:
            prepare(spec, self.inputs[spec.name], self._policy, False)
        raise self._backend.refusal(result, same_rows(self._manifest.inputs, self.inputs))


def _bounds(spec: InputSpec) -> tuple[Array, Array]:
    low, high = limits(spec)
    return low.astype(spec.dtype), high.astype(spec.dtype)


def _caller(backend: Backend, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> Callable[[], None]:
    bind: Callable[..., Callable[[], None]] | None = getattr(backend, "bind", None)
    if bind is not None:
        return bind(inputs, outputs)

    def call() -> None:
        for name, value in backend.run(inputs).items():
            np.copyto(outputs[name], value, casting="no")

    return call
