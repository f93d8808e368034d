"""ONNX Runtime on one thread; imported only when this backend is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from .. import native
from ..errors import BackendError
from . import Arrays

_FATAL = 4


def _import() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendError(
            f"backend ort: onnxruntime cannot be imported ({error}); install edgepde-runtime[ort] or take reference"
        ) from None
    return onnxruntime


def available() -> str | None:
    """The installed version, or None where onnxruntime cannot be imported."""
    try:
        return str(_import().__version__)
    except BackendError:
        return None


def kernels() -> tuple[bool, str]:
    """Whether nodes of the domain edgepde run our kernels here; the instruction set, or why function bodies run."""
    path = native.library()
    if path is None:
        return False, native.NOT_BUILT
    try:
        _options(_import(), path)
        return True, native.isa(path)
    except Exception as error:
        return False, str(error)


def _options(ort: Any, library: Path | None) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _FATAL
    if library is not None:
        options.register_custom_ops_library(str(library))
    return options


def _session(ort: Any, model: bytes, library: Path | None) -> Any:
    return ort.InferenceSession(model, _options(ort, library), providers=["CPUExecutionProvider"])


@final
class OrtBackend:
    """A session on one thread, nodes in order, silent.

    Our kernels run where their library was built and loads, else the function bodies; `kernels()` tells which.
    """

    name = "ort"

    def __init__(self, model: bytes) -> None:
        ort = _import()
        ort.set_default_logger_severity(_FATAL)
        self._session = self._with_kernels(ort, model)
        if self._session is None:
            try:
                self._session = _session(ort, model, None)
            except Exception as error:
                raise BackendError(f"backend ort: onnxruntime {ort.__version__} refuses model.onnx: {error}") from None
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._slots: dict[str, NDArray[np.generic]] = {}

    def _with_kernels(self, ort: Any, model: bytes) -> Any:
        library = native.library()
        if library is None:
            return None
        try:
            return _session(ort, model, library)
        except Exception:
            return None  # a library that does not load here, or a model refused anyway

    def fed(self, slots: Arrays) -> OrtBackend:
        """The same session with its slots filled."""
        other = copy(self)
        other._slots = {name: np.ascontiguousarray(array) for name, array in slots.items()}
        return other

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Evaluate the graph once; raises BackendError with ONNX Runtime's message where that fails."""
        try:
            values = self._session.run(self._outputs, {**inputs, **self._slots})
        except Exception as error:
            raise BackendError(f"backend ort: {error}") from None
        return dict(zip(self._outputs, values, strict=True))

    def bind(self, inputs: Arrays, outputs: Mapping[str, NDArray[np.generic]]) -> Callable[[], None]:
        """A call that reads and writes these arrays in place; they must be C-contiguous and stay alive.

        The call raises BackendError with ONNX Runtime's message where that fails.
        """
        binding = self._session.io_binding()
        given = {**inputs, **self._slots}
        for name, array in given.items():
            binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        for name, array in outputs.items():
            binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        kept = (given, dict(outputs))
        session, arrays = self._session, kept

        def call() -> None:
            assert arrays
            try:
                session.run_with_iobinding(binding)
            except Exception as error:
                raise BackendError(f"backend ort: {error}") from None

        return call


def load(model: bytes) -> OrtBackend:
    """Loads a model file; raises BackendError where onnxruntime is missing or refuses it."""
    return OrtBackend(model)
