"""ONNX Runtime on one thread with its arrays bound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Array = NDArray[np.float32]


def bound(
    model: bytes, x: Array, shape: tuple[int, ...], output: str = "y", library: Path | None = None
) -> Callable[[], Array]:
    """A call from the input x to an output of this shape; library: that of our kernels."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    if library is not None:
        options.register_custom_ops_library(str(library))
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    y = np.empty(shape, np.float32)
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    binding.bind_output(output, "cpu", 0, np.float32, y.shape, y.ctypes.data)

    def run() -> Array:
        session.run_with_iobinding(binding)
        return y

    return run
