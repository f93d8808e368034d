"""Every kind of rival as something to time: made from an entry's file, its arrays bound once.

Runs in the peers' environment. A maker `kind(file, entry, arrays, outputs)` returns a Runner; outputs [name -> array]
are filled by a run.
"""

from __future__ import annotations

import ctypes
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from itertools import repeat
from typing import Any, final

import numpy as np
from spec import Entry

Arrays = Mapping[str, np.ndarray[Any, Any]]


class Runner(ABC):
    """Seconds of `times` calls; kept: the arrays libraries point into."""

    kept: tuple[object, ...] = ()

    @abstractmethod
    def seconds(self, times: int) -> float:
        """By the clock nearest to the call."""


@final
class InPython(Runner):
    """A callable in a loop of Python; `after` copies outputs the library keeps to itself."""

    def __init__(self, call: Callable[[], object], after: Callable[[], None] = lambda: None) -> None:
        self._call, self._after = call, after

    def seconds(self, times: int) -> float:
        """The loop's own cost, some 15 ns a turn, included."""
        call, turns = self._call, repeat(None, times)
        began = time.perf_counter()
        for _ in turns:
            call()
        took = time.perf_counter() - began
        self._after()
        return took


class _Call(ctypes.Structure):
    """struct call of call.h."""

    _fields_ = (
        ("sizes", ctypes.c_void_p),
        ("inputs", ctypes.c_void_p),
        ("outputs", ctypes.c_void_p),
        ("scratch", ctypes.c_void_p),
    )


@final
class InC(Runner):
    """A function of a shared library, timed by a loop in C."""

    def __init__(self, clock: str, library: str, sizes: tuple[int, ...], inputs: Arrays, outputs: Arrays) -> None:
        loaded = ctypes.CDLL(library)
        loaded.bench_scratch_bytes.restype = ctypes.c_size_t
        room = np.zeros(loaded.bench_scratch_bytes() + 64, dtype=np.uint8)
        self._kept = [
            (ctypes.c_size_t * max(1, len(sizes)))(*sizes),
            (ctypes.c_void_p * len(inputs))(*(a.ctypes.data for a in inputs.values())),
            (ctypes.c_void_p * len(outputs))(*(a.ctypes.data for a in outputs.values())),
        ]
        self._room = room
        scratch = room.ctypes.data + -room.ctypes.data % 64
        self._argument = _Call(*(ctypes.addressof(array) for array in self._kept), scratch)
        self._function = ctypes.cast(loaded.bench_rival, ctypes.c_void_p)
        self._time = ctypes.CDLL(clock).bench_time
        self._time.restype = ctypes.c_double
        self._time.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]

    def seconds(self, times: int) -> float:
        """Loop and clock in C."""
        return float(self._time(self._function, ctypes.addressof(self._argument), times))


def c(file: str, entry: Entry, inputs: Arrays, outputs: Arrays) -> Runner:
    """A shared library with bench_rival."""
    return InC(entry.options["clock"], file, entry.sizes, inputs, outputs)


def _session(file: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def ort_run(file: str, _: Entry, inputs: Arrays, outputs: Arrays) -> Runner:
    """InferenceSession.run."""
    session, names, feed = _session(file), list(outputs), dict(inputs)
    last: list[Any] = []

    def call() -> None:
        last[:] = session.run(names, feed)

    return InPython(call, lambda: [np.copyto(outputs[n], v) for n, v in zip(names, last, strict=True)] and None)


def ort_binding(file: str, _: Entry, inputs: Arrays, outputs: Arrays) -> Runner:
    """run_with_iobinding on fixed arrays."""
    session = _session(file)
    bound = session.io_binding()
    for name, array in inputs.items():
        bound.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
    for name, array in outputs.items():
        bound.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
    run = session.run_with_iobinding
    return InPython(lambda: run(bound))


def openvino(file: str, _: Entry, inputs: Arrays, outputs: Arrays) -> Runner:
    """InferRequest.infer on fixed arrays, one stream, float32."""
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": False,
    }
    request = openvino.Core().compile_model(file, "CPU", settings).create_infer_request()
    for name, array in inputs.items():
        request.set_tensor(name, openvino.Tensor(array, shared_memory=True))
    for name, array in outputs.items():
        request.set_tensor(name, openvino.Tensor(array, shared_memory=True))
    return InPython(request.infer)


def bundle(file: str, entry: Entry, inputs: Arrays, outputs: Arrays) -> Runner:
    """Our own bind() on the backend named in the entry."""
    import edgepde_runtime

    model = edgepde_runtime.load(file, backend=entry.options["backend"], trust=True)
    return InPython(model.bind(**inputs, out=dict(outputs)))


def nothing(file: str, entry: Entry, *_: Arrays) -> Runner:
    """An empty call: "python", "ctypes" or "c"."""
    library = ctypes.CDLL(entry.options["clock"])
    if file == "python":
        return InPython(lambda: None)
    argument = ctypes.byref(_Call())
    if file == "ctypes":
        function = library.bench_nothing
        function.argtypes = [ctypes.c_void_p]
        return InPython(lambda: function(argument))
    return _Empty(library)


@final
class _Empty(Runner):
    def __init__(self, library: ctypes.CDLL) -> None:
        self._time, self._function = library.bench_time, ctypes.cast(library.bench_nothing, ctypes.c_void_p)
        self._time.restype = ctypes.c_double
        self._time.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]

    def seconds(self, times: int) -> float:
        """Loop and clock in C."""
        return float(self._time(self._function, None, times))
