"""Derivatives of one field on a device: how much faster is our op than standard nodes, and what memory do they take?

u_x, u_xx, u_xxxx and the Laplacian of a field of 128 x 128 in float32, batch 1, one thread, by kernels of several half-
widths: our generated C and our op in ONNX Runtime against graphs of standard nodes there. Convolutions put zeros around
the field, so that theirs are wrong at its ends; the dense matrices are the whole of ours. Candidates run in turn, their
arrays bound; times are processor time of the one thread. Memory is the peak of a process of its own over what it held
with the graph loaded; that of our C is its scratch.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from _generated import generated
from _harness import OURS, Row, say
from edgepde_runtime import native
from edgepde_runtime.latency import measure
from numpy.typing import NDArray

from mollifier_parts import _standard

Array = NDArray[np.float32]
Call = Callable[[], object]
POINTS, QUICK_POINTS = 128, 24
HALVES, QUICK_HALVES = (4, 8, 12, 16), (4,)
SECONDS, QUICK_SECONDS, IN_A_ROW = 4.0, 0.2, 2e-3
RIVAL, FASTER = "separate Conv nodes", 2.0
ORT, BODY = "our op in ONNX Runtime", "our op's function body"
CLOCK = time.thread_time_ns


def rows(quick: bool, seed: int = 0) -> list[Row]:
    """Times and memory of every way and half-width, and what ours gain."""
    made: list[Row] = []
    n = QUICK_POINTS if quick else POINTS
    for half in QUICK_HALVES if quick else HALVES:
        say(f"latency: {n} x {n}, half-width {half}")
        with tempfile.TemporaryDirectory() as folder:
            made += _of(n, half, quick, seed, Path(folder))
    return made


def _of(n: int, half: int, quick: bool, seed: int, folder: Path) -> list[Row]:
    ours, rivals = _standard.graphs(n, half)
    x = field(n, seed)
    calls, scratch = candidates(ours, rivals, x, half, folder)
    case = f"four derivatives, {n} x {n}, half-width {half}"
    made = timed(case, calls, QUICK_SECONDS if quick else SECONDS)
    times = {row.rival: row.measured or np.nan for row in made}
    best = min(rivals, key=times.__getitem__)
    for key in (OURS, ORT):
        if key in times:
            gain = times[RIVAL] / times[key]
            made.append(Row(f"{case}: {RIVAL} / {key}", OURS, "x", gain, None if quick else FASTER, ">="))
            made.append(Row(f"{case}: the best, {best} / {key}", OURS, "x", times[best] / times[key], None, ">="))
    made.append(Row(f"{case}: memory", OURS, "KB", scratch / 1024, note="scratch"))
    for key, graph in {ORT: ours, BODY: ours, **rivals}.items():
        if key in calls:
            made.append(Row(f"{case}: memory", key, "KB", peak(graph.model, folder, key == ORT) / 1024))
    return made


def field(n: int, seed: int) -> Array:
    """A product of sines, and another, with phases of the seed [1, 1, n, n]."""
    y, x = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n), indexing="ij")
    a, b = np.random.default_rng(seed).uniform(0, np.pi, 2)
    made = np.sin(2 * np.pi * x + a) * np.sin(3 * np.pi * y) + np.sin(1.3 * np.pi * x) * np.sin(4 * np.pi * y + b)
    return made.astype(np.float32)[None, None]


def candidates(
    ours: _standard.Graph, rivals: Mapping[str, _standard.Graph], x: Array, half: int, folder: Path
) -> tuple[dict[str, Call], int]:
    """Every way that runs here, each near the exact product where it is right; the scratch of our C in bytes."""
    n = x.shape[-1]
    run, scratch = generated(ours.model, x, ours.shapes["y"], folder)
    near(run().reshape(4, n, n), x, half, 0, OURS)
    calls: dict[str, Call] = {OURS: run}
    for key, graph in {ORT: ours, BODY: ours, **rivals}.items():
        if key != ORT or native.library() is not None:
            calls[key] = opened = session(graph, x, library=key == ORT)
            near(_standard.derivatives(opened()), x, half, 0 if graph.everywhere else half, key)
    return calls, scratch


def session(graph: _standard.Graph, x: Array, *, library: bool) -> Callable[[], dict[str, Array]]:
    """A call with its arrays bound that returns what it made, by name."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    if library:
        options.register_custom_ops_library(str(native.library()))
    opened = onnxruntime.InferenceSession(graph.model, options, providers=["CPUExecutionProvider"])
    binding = opened.io_binding()
    made = {name: np.empty(shape, np.float32) for name, shape in graph.shapes.items()}
    binding.bind_cpu_input("x", x)
    for name, y in made.items():
        binding.bind_output(name, "cpu", 0, np.float32, y.shape, y.ctypes.data)

    def run() -> dict[str, Array]:
        opened.run_with_iobinding(binding)
        return made

    return run


def near(got: NDArray[np.floating], x: Array, half: int, edge: int, key: str) -> None:
    """AssertionError where a derivative, but for so many rows at the ends, is off by more than float32 explains."""
    made = _standard.kernels(x.shape[-1], half)
    roundings = sum(taps.shape[2] for taps in made.taps) + len(made.orders) + 2
    exact, size = made.apply(x[0, 0]), _standard.magnitude(made, x)
    inside = slice(edge, -edge or None)
    for name, y, wanted, most in zip(_standard.NAMES, got, exact, size, strict=True):
        share = float((np.abs(y - wanted) / most)[inside, inside].max())
        if not share < roundings * 2.0**-23:
            raise AssertionError(f"{key}: {name}: off by {share:.2g} of the sizes of its terms")


def timed(case: str, calls: Mapping[str, Call], seconds: float) -> list[Row]:
    """The median microseconds of a call of each; a sample is of as many calls in a row as fill some milliseconds."""
    counts = {}
    for key, call in calls.items():
        took = []
        for _ in range(5):
            start = time.thread_time()
            call()
            took.append(time.thread_time() - start)
        counts[key] = int(np.clip(IN_A_ROW / max(min(took), 1e-7), 1, 200))
    found = measure({key: _repeated(calls[key], count) for key, count in counts.items()}, seconds, CLOCK)
    made = []
    for key, count in counts.items():
        low, middle, high = (found[key].quantile(q) / count for q in (0.25, 0.5, 0.75))
        made.append(Row(case, key, "us", middle, spread=(low, high)))
    return made


def _repeated(call: Call, count: int) -> Callable[[], object]:
    def run() -> None:
        for _ in range(count):
            call()

    return run


def peak(model: bytes, folder: Path, library: bool) -> float:
    """Bytes that a process of its own holds at most while it runs a graph, over what it held before the first run."""
    path = folder / "graph.onnx"
    path.write_bytes(model)
    words = [sys.executable, "-m", "mollifier_parts._peak", str(path), *(["library"] if library else [])]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    if done.returncode:
        raise SystemExit(f"latency: memory: {done.stderr.strip() or done.returncode}")
    return float(done.stdout)
