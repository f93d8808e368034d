"""A model of one input and one output as generated C, compiled for this processor and called with its arrays bound."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import numpy as np
from edgepde_export.c99 import source
from edgepde_export.c99.entry import Entry, Input, Output
from edgepde_export.c99.generating import kernels
from edgepde_export.c99.names import distinct
from edgepde_export.c99.program import Program, part
from edgepde_export.c99.tracing import trace
from edgepde_runtime.onnxfile import parse
from native.build import isas, shared_library
from numpy.typing import NDArray

Array = NDArray[np.float32]


def generated(model: bytes, x: Array, shape: tuple[int, ...], folder: Path) -> tuple[Callable[[], Array], int]:
    """A call that computes y of x, and the bytes of scratch it takes; the vectors are the widest there are."""
    traced = trace(parse(model))
    inputs = tuple(Input(n, v) for n, v in traced.inputs.items())
    outputs = tuple(Output(n, v, diagnostic=True) for n, v in traced.outputs.items())
    entry = Entry("run", traced.symbols, None, traced.lane, inputs, outputs)
    ids = distinct([*traced.symbols, *(i.name for i in inputs), *(o.name for o in outputs)], "layer")
    made = source.write(Program("layer", (part(entry, traced.operations),), ids), "/* a layer */")
    (folder / "kernels").mkdir(parents=True, exist_ok=True)
    for name, text in kernels(made.kernels).items():
        (folder / "kernels" / name).write_text(text, encoding="utf-8")
    (folder / "layer.h").write_text("#include <stddef.h>\n#include <stdint.h>\n", encoding="utf-8")
    (folder / "layer.c").write_text(made.text, encoding="utf-8")
    library = shared_library([folder / "layer.c"], isas()[0].flags if isas() else (), folder / "layer.so", [folder])
    bytes_needed = max(made.tiled_bytes, made.single_bytes)
    scratch, y = np.zeros(bytes_needed + 64, np.uint8), np.empty(shape, np.float32)
    start = ctypes.c_void_p(scratch.ctypes.data + -scratch.ctypes.data % 64)
    sizes = [ctypes.c_size_t(len(x)) for _ in traced.symbols]
    pointers = [v.ctypes.data_as(ctypes.c_void_p) for v in (x, y)]

    def run() -> Array:
        code = library.layer_run(*sizes, *pointers, start)
        if code:
            raise RuntimeError(f"the layer returned {code}")
        return y

    run.__dict__["held"] = scratch
    return run, bytes_needed
