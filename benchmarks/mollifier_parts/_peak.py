"""A process of its own: the most bytes it holds while it runs a graph, over what it held with the graph loaded.

python -m mollifier_parts._peak FILE.onnx [library]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from edgepde_runtime import native


def held(name: str) -> int:
    """Bytes of an entry of the process' status."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))


def main() -> None:
    """Prints the bytes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    if sys.argv[2:]:
        options.register_custom_ops_library(str(native.library()))
    opened = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
    (given,) = opened.get_inputs()
    binding = opened.io_binding()
    x = np.ones((1, *given.shape[1:]), np.float32)
    binding.bind_cpu_input(given.name, x)
    outputs = [np.zeros((1, *y.shape[1:]), np.float32) for y in opened.get_outputs()]
    for info, y in zip(opened.get_outputs(), outputs, strict=True):
        binding.bind_output(info.name, "cpu", 0, np.float32, y.shape, y.ctypes.data)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = held("VmRSS")
    for _ in range(3):
        opened.run_with_iobinding(binding)
    print(held("VmHWM") - before)


if __name__ == "__main__":
    main()
