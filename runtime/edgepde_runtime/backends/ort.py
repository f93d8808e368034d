"""ONNX Runtime on one thread; imported only when this backend is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

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


@final
class OrtBackend:
    """A session on one thread, nodes in order, silent."""

    name = "ort"

    def __init__(self, model: bytes) -> None:
        ort = _import()
        ort.set_default_logger_severity(_FATAL)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = _FATAL
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise BackendError(f"backend ort: onnxruntime {ort.__version__} refuses model.onnx: {error}") from None
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Evaluate the graph once; raises BackendError with ONNX Runtime's message where that fails."""
        try:
            values = self._session.run(self._outputs, dict(inputs))
        except Exception as error:
            raise BackendError(f"backend ort: {error}") from None
        return dict(zip(self._outputs, values, strict=True))

    def bind(self, inputs: Arrays, outputs: Mapping[str, NDArray[np.generic]]) -> Callable[[], None]:
        """A call that reads and writes these arrays in place; they must be C-contiguous and stay alive.

        The call raises BackendError with ONNX Runtime's message where that fails.
        """
        binding = self._session.io_binding()
        for name, array in inputs.items():
            binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        for name, array in outputs.items():
            binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        kept = (dict(inputs), dict(outputs))
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
